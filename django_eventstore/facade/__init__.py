"""What ``EventStore`` is composed of, a module for each job; see ``store.py``."""
