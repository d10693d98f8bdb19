"""What `export.py` writes: the exported models, and the comparison with Keras."""
