"""Values of whatever type they came in, taken for what a field means."""

from typing import Any, Final

from faultwire_shared.json_text import encode_anything

_JSON_VALUES: Final = (dict, list, bool, type(None))


def mapping_of(given: Any) -> dict[str, Any]:
    """Return an object, or an empty one in the place of anything else."""
    return given if isinstance(given, dict) else {}


def text_of(given: Any) -> str:
    """Return a value as text: JSON for what has no text of its own, nothing for null."""
    if given is None:
        return ""
    if isinstance(given, str):
        return given
    return encode_anything(given).decode() if isinstance(given, _JSON_VALUES) else str(given)


def name_of(given: Any) -> str:
    """Return a name: a text or a number without the space around it; nothing for anything else."""
    if isinstance(given, bool) or not isinstance(given, str | int | float):
        return ""
    return str(given).strip()


def is_number(given: Any) -> bool:
    """Return whether it is a number; JSON's true and false are none."""
    return isinstance(given, int | float) and not isinstance(given, bool)


def pairs_of(given: Any) -> list[tuple[str, Any]] | None:
    """Return the pairs of an object or of a list of pairs, both are in use; None for anything else."""
    if isinstance(given, dict):
        return list(given.items())
    if not isinstance(given, list):
        return None
    return [(name, each[1]) for each in given if _is_pair(each) and (name := name_of(each[0]))]


def _is_pair(given: Any) -> bool:
    return isinstance(given, list) and len(given) == 2


def values_of(given: Any) -> list[Any] | None:
    """Return the values of a list, of ``{"values": [...]}``, or of one bare object, all three are in use.

    Returns:
        The values, nulls left out; None for what is none of these.
    """
    if isinstance(given, dict):
        given = given.get("values", [given])
        if isinstance(given, dict):
            given = [given]
    if given is None:
        return []
    return [each for each in given if each is not None] if isinstance(given, list) else None
