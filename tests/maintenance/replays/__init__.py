"""Runs through all of history that several hosts share."""
