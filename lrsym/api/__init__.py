"""What `import lrsym` shows, apart from what a room gives as it is: the verbs of the command line as functions."""
