"""Generators of rows, and what they play for."""
