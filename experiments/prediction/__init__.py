"""Makes the files and pages of `predict.py` and `fit.py` from photographs, videos and points."""
