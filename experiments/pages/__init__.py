"""The page of a run, and the plots and pictures on it."""
