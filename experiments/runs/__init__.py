"""What every training shares: flags, run folders, checkpoints, callbacks, several devices."""
