"""Sweeps of CLIP-style models that learn 'left of'."""
