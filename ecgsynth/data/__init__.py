"""Real beats that come with the package; README.md says where from and under which licence."""
