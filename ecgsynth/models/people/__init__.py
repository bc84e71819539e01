"""A generator of people who never lived, and of their windows."""
