"""People in pictures: a landmark detector, and readers of annotation files."""
