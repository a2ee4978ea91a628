"""Text that others wrote: what makes it safe to show, and safe to store."""

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def printable(text: str) -> str:
    """The text with unprintable characters as escapes, so that it cannot steer a terminal."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in text
    )


def storable(text: str) -> str:
    """The text with U+FFFD in place of NUL, which PostgreSQL's text and SQLite's tokenizer cannot hold."""
    return text.replace("\x00", _REPLACEMENT) if "\x00" in text else text
