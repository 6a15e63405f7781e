"""The streams: made, opened, and compared with the options."""
