"""What a person reads of a table."""
