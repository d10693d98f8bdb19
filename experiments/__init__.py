"""Scripts that train, evaluate and predict; the only place with flags and printing."""
