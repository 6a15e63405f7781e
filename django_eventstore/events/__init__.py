"""What an event is: its fields, its checks, its forms as JSON, and what became of reading it."""
