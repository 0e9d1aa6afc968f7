"""Encoders, their parameters and their score terms."""
