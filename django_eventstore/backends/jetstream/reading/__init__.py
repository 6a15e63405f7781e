"""Reading an actor, its snapshots and the whole stream."""
