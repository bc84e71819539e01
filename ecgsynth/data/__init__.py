"""Real beats that come with the package; README.md says whence and under which licence."""
