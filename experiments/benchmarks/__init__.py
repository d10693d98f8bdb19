"""What `benchmark.py` compares this library with."""
