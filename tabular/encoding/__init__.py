"""Columns as codes and positions, and back."""
