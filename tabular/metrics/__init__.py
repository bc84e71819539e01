"""What is measured of tables: likeness, use, and what they give away."""
