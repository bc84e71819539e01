"""Tables of mixed types: schema, encoding, models, measures."""
