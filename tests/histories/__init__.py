"""Histories of concurrent appends and reads under faults, recorded and checked afterwards.

`operations` is what a client did, `clients` are the processes that do it, `sites` the stores and
what can go wrong with them, `runs` puts these together, and `checker` decides.
"""
