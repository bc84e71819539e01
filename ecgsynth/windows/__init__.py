"""Equally long windows of a signal: the data type, and how beats and series become windows."""
