"""An interactive 3D viewer in HTML: turn, reshape and play bodies."""
