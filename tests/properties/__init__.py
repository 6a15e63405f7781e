"""Properties of all stores side by side: whatever comes in, they all do the same."""
