"""Which fields of a JSON value a struct does not read."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from msgspec import inspect


def unread_fields(value: object, kind: Any) -> list[str]:
    """The names of fields that `kind` drops, as `customer.birthDay`, lists by their items."""
    return sorted(set(_find(value, _type_of(kind), "")))


@cache
def _type_of(kind: Any) -> inspect.Type:
    return inspect.type_info(kind)


def _find(value: object, kind: inspect.Type, prefix: str) -> Iterator[str]:
    if isinstance(kind, inspect.UnionType):
        # A struct beside null, or one of several structs: the first stands for all.
        parts = (t for t in kind.types if isinstance(t, inspect.StructType | inspect.ListType))
        kind = next(parts, kind)
    if isinstance(kind, inspect.ListType) and isinstance(value, list):
        for item in value:
            yield from _find(item, kind.item_type, prefix)
    if isinstance(kind, inspect.StructType) and isinstance(value, dict):
        known = {field.encode_name: field.type for field in kind.fields}
        for name, inner in value.items():
            if name not in known:
                yield f"{prefix}{name}"
            else:
                yield from _find(inner, known[name], f"{prefix}{name}.")
