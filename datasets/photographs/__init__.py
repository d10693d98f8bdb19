"""Who is where in a picture: a landmark finder, and the files of annotators."""
