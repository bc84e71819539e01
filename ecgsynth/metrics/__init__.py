"""What is measured of windows: likeness, use, and what they give away."""
