"""Text that others wrote: what makes it safe to show."""


def printable(text: str) -> str:
    """The text with unprintable characters as escapes, so that it cannot steer a terminal."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in text
    )
