"""Where events are kept: ``base.py`` says what a backend provides, the others provide it."""
