"""What every store promises, and what all of them are built on."""
