"""The sandbox's clock: follows the wall clock, and can be moved by a test."""

from datetime import UTC, datetime, timedelta
from typing import Protocol


class Memory(Protocol):
    """Where the clock stores its offset."""

    def get_note(self, name: str) -> bytes | None:
        """The note `name`."""

    def put_note(self, name: str, value: bytes) -> None:
        """Store the note `name`."""


def show_moment(at: datetime) -> str:
    """A time as V2 writes it: UTC with milliseconds, `2030-01-01T00:00:00.000Z`."""
    utc = at.astimezone(UTC).replace(tzinfo=None)
    return f"{utc.isoformat(timespec='milliseconds')}Z"


class Clock:
    """Wall clock plus an offset, or a moment at which it stands still; survives a restart."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._offset = timedelta(seconds=float(memory.get_note("clock_offset") or b"0"))
        still = memory.get_note("clock_frozen")
        self._still = datetime.fromisoformat(still.decode()) if still else None

    def now(self) -> datetime:
        """The sandbox's time, UTC, in whole milliseconds: what is shown is what is stored."""
        exact = self._still or datetime.now(UTC) + self._offset
        return exact.replace(microsecond=exact.microsecond // 1000 * 1000)

    @property
    def frozen(self) -> bool:
        """Whether it stands still."""
        return self._still is not None

    @property
    def offset(self) -> float:
        """Seconds the sandbox is ahead of the wall clock."""
        offset = self._still - datetime.now(UTC) if self._still else self._offset
        return offset.total_seconds()

    def change(
        self, *, at: datetime | None = None, seconds: float = 0.0, freeze: bool | None = None
    ) -> None:
        """Jump to `at`, move by `seconds`, then stand still or run on, or stay as it was.

        Raises OverflowError beyond the years 1 to 9999, and changes nothing then.
        """
        wall = datetime.now(UTC)
        start = self._still or wall + self._offset
        moved = (at.astimezone(UTC) if at else start) + timedelta(seconds=seconds)
        frozen = self.frozen if freeze is None else freeze
        runs_on = at is None and not self.frozen
        # Without a jump the offset stays exact: it must not gather the time that this call takes.
        offset = self._offset + timedelta(seconds=seconds) if runs_on else moved - wall
        self._keep(offset, moved if frozen else None)

    def reset(self) -> None:
        """Back to the wall clock."""
        self._keep(timedelta(), None)

    def _keep(self, offset: timedelta, still: datetime | None) -> None:
        self._offset, self._still = offset, still
        self._memory.put_note("clock_offset", str(offset.total_seconds()).encode())
        self._memory.put_note("clock_frozen", still.isoformat().encode() if still else b"")
