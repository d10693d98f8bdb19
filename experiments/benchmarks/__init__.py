"""The other implementations that `benchmark.py` compares this library with."""
