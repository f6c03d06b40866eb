"""A clock that stands still until it is moved."""

from datetime import UTC, datetime, timedelta


class MovableClock:
    """Starts at the real time, since some rows are stamped by the database's own clock."""

    def __init__(self) -> None:
        self._now = datetime.now(UTC).replace(microsecond=0)

    def now(self) -> datetime:
        return self._now

    def move(self, **by: float) -> None:
        self._now += timedelta(**by)
