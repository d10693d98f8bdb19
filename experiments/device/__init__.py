"""The measurements of `check_device.py`: device, networks, SMPL layer, input pipelines."""
