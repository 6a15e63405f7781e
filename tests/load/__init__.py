"""The sample project under gunicorn with 50 threads, and 50 clients: `python -m tests.load`."""
