"""The journal: every call of either API and of the SDKs, with the reason of each refusal."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from itertools import islice

import msgspec

from portone_sandbox.core.payments import Version

ENTRIES_MAX = 1000
BODY_BYTES_MAX = 10_000
_findings: "ContextVar[Findings | None]" = ContextVar("findings", default=None)


class Exchange(msgspec.Struct):
    """One side of a call; bodies are cut after BODY_BYTES_MAX, and withheld if they hold keys."""

    headers: dict[str, str] = {}
    query: str = ""
    body: str = ""


class Entry(msgspec.Struct):
    """One call. `status` is null if the connection was reset, `reason` if nothing was refused.

    `notes` say what was ignored.
    """

    at: datetime
    method: str
    path: str
    version: Version
    status: int | None
    reason: str | None
    request: Exchange
    response: Exchange
    seconds: float = 0.0
    notes: list[str] = []

    def is_about(self, ids: Iterable[str]) -> bool:
        """Whether the call names one of these ids."""
        texts = (self.path, self.request.query, self.request.body, self.response.body)
        return any(id in text for id in ids for text in texts)


class Journal:
    """The newest calls, in memory only."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=ENTRIES_MAX)
        self.on_entry: Callable[[Entry], None] = lambda _: None

    def add(self, entry: Entry) -> None:
        """Add a finished call."""
        self._entries.append(entry)
        self.on_entry(entry)

    def clear(self) -> None:
        """Delete every entry."""
        self._entries.clear()

    def find(
        self,
        *,
        ids: Iterable[str] | None = None,
        status: int | None = None,
        refused: bool = False,
        remarkable: bool = False,
        limit: int = ENTRIES_MAX,
    ) -> list[Entry]:
        """Entries, newest first: about one of `ids`, with a status, or refused ones only.

        Remarkable ones are refused, or have notes.
        """
        wanted = None if ids is None else list(ids)
        found = (
            entry
            for entry in reversed(self._entries)
            if (status is None or entry.status == status)
            and (not refused or entry.reason is not None)
            and (not remarkable or entry.reason is not None or entry.notes)
            and (wanted is None or entry.is_about(wanted))
        )
        return list(islice(found, limit))


class Findings:
    """What is found out about one running call, beyond what its response says."""

    def __init__(self) -> None:
        self.reasons: list[str] = []
        self.notes: list[str] = []
        # Parsers that can tell, once a call was granted, which of its fields nothing read.
        self.unread: list[Callable[[], Iterable[str]]] = []

    def all_notes(self) -> list[str]:
        """Notes, with the fields that nothing read."""
        names = sorted({name for unread in self.unread for name in unread()})
        return [*self.notes, *(f"{name} is not played by the sandbox: ignored" for name in names)]


def explain(reason: str) -> None:
    """Give the reason for refusing the running call, beyond what its response says."""
    found = _findings.get()
    if found is not None and reason not in found.reasons:
        found.reasons.append(reason)


def note(text: str) -> None:
    """Give a note about the running call, whatever becomes of it."""
    found = _findings.get()
    if found is not None and text not in found.notes:
        found.notes.append(text)


def watch_unread(unread: Callable[[], Iterable[str]]) -> None:
    """Ask for the names of ignored fields, once the running call was granted."""
    found = _findings.get()
    if found is not None:
        found.unread.append(unread)


@contextmanager
def collecting() -> Iterator[Findings]:
    """Collect what is found out within."""
    found = Findings()
    token = _findings.set(found)
    try:
        yield found
    finally:
        _findings.reset(token)
