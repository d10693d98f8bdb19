"""From photographs, videos and points to the files and the page of `predict.py` and `fit.py`."""
