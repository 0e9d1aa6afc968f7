"""Rows to files of other tools, and the trials of other tools to a folder of their own."""
