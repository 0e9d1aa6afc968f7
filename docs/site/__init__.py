"""The site of the documentation: the pages of the repository, laid out, built, checked."""
