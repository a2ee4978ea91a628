"""Background chores that nobody asks for and everything relies on."""
