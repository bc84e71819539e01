"""Generators of windows, and the spaces in which they work."""
