"""The schema's migrations, shipped in the wheel."""
