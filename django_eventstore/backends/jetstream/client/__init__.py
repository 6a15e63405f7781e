"""The client: one NATS connection per process and login, and calls on it."""
