"""Rows as dataclasses."""

from typing import TypeVar

import msgspec

from .database import Row

Record = TypeVar("Record")


def to_record(kind: type[Record], row: Row) -> Record:
    """The row as a dataclass, by column name. A column without a field is ignored.

    Raises msgspec.ValidationError if a field without a default has no column, or a value is not of
    the field's type: the query does not match the code, so nothing may go on.
    """
    return msgspec.convert(dict(row), kind)
