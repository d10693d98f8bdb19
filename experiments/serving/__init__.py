"""The models that `export.py` writes, and their comparison with Keras."""
