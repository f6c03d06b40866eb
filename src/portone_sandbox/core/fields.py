"""Request fields as V1 accepts them: JSON or form, numbers as numbers or text."""

import re
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from litestar import Request

from portone_sandbox.core.errors import InvalidRequest
from portone_sandbox.core.journal import watch_unread
from portone_sandbox.core.money import to_minor

_UNIX_LIMIT = 4_102_444_800  # year 2100; later times are a caller's milliseconds
_NESTED = re.compile(r"^([^\[\]]+)\[([^\[\]]*)\]$")


class Fields:
    """The fields of one request, with the conversions a form needs."""

    def __init__(self, values: dict[str, object]) -> None:
        self.values = values
        self._read: set[str] = set()

    def value(self, name: str) -> object:
        """A field as it is, or None."""
        self._read.add(name)
        return self.values.get(name)

    def unread(self) -> list[str]:
        """The names of fields that nothing asked for."""
        return [name for name in self.values if name.partition("[")[0] not in self._read]

    def text(self, name: str, length_max: int | None = None) -> str | None:
        """A text, or None when absent or empty; raises InvalidRequest."""
        value = self.value(name)
        if value is None or value == "":
            return None
        if not isinstance(value, str | int | float) or isinstance(value, bool):
            raise InvalidRequest(f"{name} must be text")
        text = str(value)
        if length_max is not None and len(text) > length_max:
            raise InvalidRequest(f"{name} is longer than {length_max}")
        if "\x00" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
            raise InvalidRequest(f"{name} holds what is no text")
        return text

    def required_text(self, name: str, length_max: int | None = None) -> str:
        """A required text."""
        text = self.text(name, length_max)
        if text is None:
            raise InvalidRequest(f"{name} is required")
        return text

    def money(self, name: str, currency: str) -> int | None:
        """A V1 amount in minor units, or None; raises InvalidRequest when negative or unfit."""
        value = self.value(name)
        if value is None or value == "":
            return None
        try:
            minor = to_minor(value, currency)
        except ValueError as error:
            raise InvalidRequest(f"{name}: {error}") from error
        if minor < 0:
            raise InvalidRequest(f"{name} is negative")
        return minor

    def integer(self, name: str) -> int | None:
        """A whole number, or None."""
        value = self.value(name)
        if value is None or value == "":
            return None
        if isinstance(value, bool) or not re.fullmatch(r"-?\d{1,15}", str(value)):
            raise InvalidRequest(f"{name} must be a whole number")
        return int(str(value))

    def unix_time(self, name: str) -> int | None:
        """UNIX seconds, or None."""
        value = self.integer(name)
        if value is not None and not 0 < value < _UNIX_LIMIT:
            raise InvalidRequest(f"{name} is no UNIX time in seconds")
        return value

    def flag(self, name: str) -> bool:
        """A boolean; absent is False."""
        return str(self.value(name)).lower() in ("true", "1")

    def texts(self, name: str) -> list[str]:
        """A list of texts: a JSON array, a repeated field, or one value."""
        value = self.value(name)
        if value is None or value == "":
            return []
        many = value if isinstance(value, list) else [value]
        if not all(isinstance(item, str) for item in many):
            raise InvalidRequest(f"{name} must be a list of texts")
        return [str(item) for item in many]


async def read_fields(request: Request[Any, Any, Any]) -> Fields:
    """The body's fields, form or JSON, over those of the query; the journal notes unread ones."""
    fields = await _parse(request)
    watch_unread(fields.unread)
    return fields


async def _parse(request: Request[Any, Any, Any]) -> Fields:
    body = await request.body()
    values: dict[str, object] = dict(request.query_params.items())
    if not body.strip():
        return Fields(values)
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type == "application/x-www-form-urlencoded":
        return Fields(values | _form(body))
    try:
        decoded = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest("the body is no JSON") from error
    if not isinstance(decoded, dict):
        raise InvalidRequest("the body must be a JSON object")
    return Fields(values | decoded)


def read_list(request: Request[Any, Any, Any], fields: Fields, name: str) -> list[str]:
    """A list in the many ways clients write one: `a[]=`, `a[0]=`, `a=` repeated, or with commas.

    A posted list counts as well.
    """
    listed = re.compile(rf"{re.escape(name)}\[\d*\]")
    # Litestar keeps no order among different names.
    pairs = parse_qsl(request.scope["query_string"].decode("latin-1"))
    found = [value for key, value in pairs if listed.fullmatch(key)]
    bare = [value for key, value in pairs if key == name]
    bare = bare or (fields.texts(name) if fields.value(name) else [])
    return found or [part for text in bare for part in text.split(",") if part]


def _form(body: bytes) -> dict[str, object]:
    """Form fields; `a[]=1&a[]=2` is a list, `extra[requester]=admin` a nested object."""
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True)
    except (UnicodeDecodeError, ValueError) as error:
        raise InvalidRequest("the body is no form") from error
    values: dict[str, object] = {}
    for name, value in pairs:
        nested = _NESTED.match(name)
        if nested is None:
            values[name] = value
        elif nested[2] == "":
            many = values.setdefault(nested[1], [])
            if isinstance(many, list):
                many.append(value)
        else:
            inner = values.setdefault(nested[1], {})
            if isinstance(inner, dict):
                inner[nested[2]] = value
    return values
