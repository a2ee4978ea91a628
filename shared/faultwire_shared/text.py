"""Makes text that others wrote safe to show, and safe to store."""

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def printable(text: str) -> str:
    """Escape unprintable characters, so that the text cannot control a terminal."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in text
    )


def storable(text: str) -> str:
    """Replace NUL, which PostgreSQL's text and SQLite's tokenizer cannot hold, by U+FFFD."""
    return text.replace("\x00", _REPLACEMENT) if "\x00" in text else text
