"""Speed, always as a ratio against a bare driver or a peer measured in the same run.

``python -m benchmarks`` prints the table; ``python -m benchmarks --help`` says what can be chosen.
"""
