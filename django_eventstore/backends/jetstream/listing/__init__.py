"""Which actors there are, and how many events."""
