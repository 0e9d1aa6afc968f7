"""Sweeps on one page: question, state, and every cell to be looked into. Knows no torch and no Ray."""
