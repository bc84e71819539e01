"""What synthetic data give away of those that the generator learnt from: a file for each idea."""
