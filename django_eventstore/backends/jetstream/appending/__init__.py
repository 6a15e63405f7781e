"""Storing an append where the server decides who was first."""
