"""What `check_device.py` measures: the device, networks, the SMPL layer, input pipelines."""
