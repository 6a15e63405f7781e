"""What commands have in common, what they print; and the commands."""
