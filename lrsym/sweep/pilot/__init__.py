"""Measure some steps, then choose pack size and workers."""
