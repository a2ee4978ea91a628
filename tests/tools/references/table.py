"""Cells of a table in Markdown."""


def cell(text: str) -> str:
    """A text on one line, which no sign in it takes apart."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
