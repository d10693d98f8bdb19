"""Who is where in a picture: annotation files."""
