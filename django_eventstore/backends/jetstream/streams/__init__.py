"""The streams: made, compared with the options, pruned."""
