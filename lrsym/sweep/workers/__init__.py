"""Processes that work for a driver."""
