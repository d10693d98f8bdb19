"""NBF's part of the scripts: flags, data, networks, training, evaluation, pages."""
