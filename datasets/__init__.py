"""Data sets of people as TFRecords of Examples."""
