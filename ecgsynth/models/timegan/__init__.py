"""TimeGAN: its networks, losses and steps, and what it finds in the training windows."""
