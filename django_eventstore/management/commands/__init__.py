"""The commands: they parse and print, and call the rooms that do the work."""
