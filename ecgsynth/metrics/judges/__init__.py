"""Networks that are told to separate real windows from others, and the stretches of time that keep them honest."""
