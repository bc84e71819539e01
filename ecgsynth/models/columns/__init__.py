"""What lies between the columns of a series and the channels that a generator learns."""
