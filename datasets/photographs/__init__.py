"""People in pictures: a landmark finder, and readers of annotation files."""
