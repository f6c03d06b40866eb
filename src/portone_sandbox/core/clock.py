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
    """Wall clock plus an offset that survives a restart."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._offset = timedelta(seconds=float(memory.get_note("clock_offset") or b"0"))

    def now(self) -> datetime:
        """The sandbox's time, UTC, in whole milliseconds: what is shown is what is stored."""
        exact = datetime.now(UTC) + self._offset
        return exact.replace(microsecond=exact.microsecond // 1000 * 1000)

    @property
    def offset(self) -> float:
        """Seconds the sandbox is ahead of the wall clock."""
        return self._offset.total_seconds()

    def advance(self, seconds: float) -> datetime:
        """Move by `seconds`; negative moves back. Raises OverflowError beyond year 9999."""
        return self._shift(self._offset + timedelta(seconds=seconds))

    def set(self, at: datetime) -> datetime:
        """Jump to `at`, and run on from there."""
        return self._shift(at - datetime.now(UTC))

    def reset(self) -> None:
        """Back to the wall clock."""
        self._shift(timedelta())

    def _shift(self, offset: timedelta) -> datetime:
        moved = datetime.now(UTC) + offset
        self._offset = offset
        self._memory.put_note("clock_offset", str(offset.total_seconds()).encode())
        return moved
