"""Shared code of all trainings: flags, run folders, checkpoints, callbacks, devices."""
