"""Sweeps on one page: what was asked, what became of it, and every cell to be looked into. Knows no torch and no Ray."""
