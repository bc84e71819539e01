"""How generators are trained: the loop, its state, run folders, and one file for each model."""
