"""How generators of rows are trained."""
