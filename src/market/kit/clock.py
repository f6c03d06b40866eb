"""The machine's own clock and identifiers."""

from datetime import UTC, datetime

from uuid_utils import uuid7


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class TimeOrderedIds:
    """UUIDs of version 7 (RFC 9562): they sort by time, so an index grows at its end."""

    def new(self) -> str:
        return uuid7().hex
