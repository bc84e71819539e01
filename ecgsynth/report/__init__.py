"""What a person reads: pages, pictures, and text for the terminal."""
