"""Forms: read with bounds, each field as it was sent."""

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import parse_qsl

from aiohttp import web

from faultwire_consumer.serving.body import read_whole_body
from faultwire_consumer.serving.refusal import MalformedBodyError, UnsupportedMediaTypeError
from faultwire_shared.taxonomy import FieldError, ValidationError

_FORM: Final = "application/x-www-form-urlencoded"
FIELDS_MAX: Final = 1_000
"""Fields of one form: incidents that are chosen, and what is said of them."""


class SentForm:
    """A form's fields by name; a field may come once, but for those that are asked for as many."""

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        self.pairs = tuple(pairs)
        self._fields: dict[str, list[str]] = {}
        for name, value in pairs:
            self._fields.setdefault(name, []).append(value)

    def text(self, name: str) -> str:
        """Return a field, empty where it is missing.

        Raises:
            ValidationError: it came twice.
        """
        values = self._fields.get(name, [""])
        if len(values) > 1:
            raise ValidationError(errors=[FieldError(name[:100], "given twice")])
        return values[0]

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a field's values, in their order."""
        return tuple(self._fields.get(name, ()))

    def flag(self, name: str) -> bool:
        """Return whether a box was ticked, or the button by this name was pressed."""
        return name in self._fields

    def refuse_others(self, names: Sequence[str]) -> None:
        """See that no other fields came.

        Raises:
            ValidationError: with each of them.
        """
        unknown = [name for name in self._fields if name not in names]
        if unknown:
            raise ValidationError(errors=[FieldError(name[:100], "unknown") for name in unknown])


async def read_form(request: web.Request, *, fields_max: int = FIELDS_MAX) -> SentForm:
    """Read the form that a request carries; none is an empty one.

    Raises:
        UnsupportedMediaTypeError: it is not a form.
        MalformedBodyError: it cannot be read, or has too many fields.
    """
    body = await read_whole_body(request)
    if not body:
        return SentForm(())
    if request.content_type != _FORM:
        raise UnsupportedMediaTypeError("send a form")
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=fields_max
        )
    except ValueError:
        raise MalformedBodyError("this is not a form that can be read") from None
    return SentForm(pairs)


async def read_fields(request: web.Request, names: tuple[str, ...]) -> Mapping[str, str]:
    """Read a form of exactly these fields, each at most once and empty where it is missing.

    Raises:
        UnsupportedMediaTypeError, MalformedBodyError: as `read_form` does.
        ValidationError: a field came twice, or is not of this form.
    """
    form = await read_form(request, fields_max=len(names) + 1)
    form.refuse_others(names)
    return {name: form.text(name) for name in names}
