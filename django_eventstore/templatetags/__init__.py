"""How the pages of the admin show things."""
