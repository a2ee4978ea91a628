"""The migrations, one module for each, in order."""
