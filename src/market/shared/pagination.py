"""Lists, one page at a time, by the id after which the next page starts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which part of a list is wanted: at most `limit` items that come after `cursor`."""

    limit: int
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items, newest first, and where the next ones start (None: these were the last)."""

    items: Sequence[T]
    next_cursor: str | None

    @classmethod
    def from_rows(
        cls, rows: Sequence[T], wanted: PageRequest, key: Callable[[T], str]
    ) -> "Page[T]":
        """A page from rows read with `limit + 1`: the extra one only tells that more follow."""
        items = rows[: wanted.limit]
        return cls(items, key(items[-1]) if len(rows) > wanted.limit else None)
