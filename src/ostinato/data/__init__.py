"""Read, encode, batch."""
