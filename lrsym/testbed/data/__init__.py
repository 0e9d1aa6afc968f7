"""Scenes, captions, splits and batches."""
