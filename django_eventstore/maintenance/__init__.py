"""What is done with whole stores: copy, forward, compare, verify, prune, snapshot, replay."""
