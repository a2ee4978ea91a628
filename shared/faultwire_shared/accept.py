"""The choice between two media types by an ``Accept`` header (RFC 9110, section 12.5.1)."""


def prefers(special: str, usual: str, accept: str | None) -> bool:
    """Return whether ``special`` is asked for by name, and at least as much as ``usual``.

    A wildcard asks for nothing in particular and gets the usual type; a header that cannot be
    read counts as absent.
    """
    if not accept or special not in accept.lower():
        return False
    weights = _weights(accept.lower())
    wanted = weights.get(special, 0.0)
    return wanted > 0 and wanted >= weights.get(usual, 0.0)


def _weights(accept: str) -> dict[str, float]:
    weights: dict[str, float] = {}
    for part in accept.split(","):
        media_type, *parameters = (piece.strip() for piece in part.split(";"))
        weights[media_type] = next((_weight(each) for each in parameters if each.startswith("q=")), 1.0)
    return weights


def _weight(parameter: str) -> float:
    try:
        return float(parameter[2:])
    except ValueError:
        return 0.0
