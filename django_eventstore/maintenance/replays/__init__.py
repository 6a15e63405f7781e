"""Replays: running all of history again, alone or shared out among processes and hosts."""
