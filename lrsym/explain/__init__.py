"""One trial taken apart on one page."""
