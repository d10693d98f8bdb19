"""Scripts that train, evaluate and predict; the only place with flags and printing."""

import sys

if sys.platform == "win32":
    sys.exit(
        "The scripts need Linux or macOS: they lock folders with fcntl, which Windows lacks. Use "
        "WSL there; smpl_tf, nbf, smplr and datasets can be imported without it."
    )
