"""Bodies that the reader of a page can turn, reshape and play."""
