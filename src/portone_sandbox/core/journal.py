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
_reasons: ContextVar[list[str] | None] = ContextVar("reasons", default=None)


class Exchange(msgspec.Struct):
    """One side of a call; bodies are cut after BODY_BYTES_MAX, and withheld if they hold keys."""

    headers: dict[str, str] = {}
    query: str = ""
    body: str = ""


class Entry(msgspec.Struct):
    """One call. `status` is null if the connection was reset, `reason` if nothing was refused."""

    at: datetime
    method: str
    path: str
    version: Version
    status: int | None
    reason: str | None
    request: Exchange
    response: Exchange
    seconds: float = 0.0

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
        limit: int = ENTRIES_MAX,
    ) -> list[Entry]:
        """Entries, newest first: about one of `ids`, with a status, or refused ones only."""
        wanted = None if ids is None else list(ids)
        found = (
            entry
            for entry in reversed(self._entries)
            if (status is None or entry.status == status)
            and (not refused or entry.reason is not None)
            and (wanted is None or entry.is_about(wanted))
        )
        return list(islice(found, limit))


def explain(reason: str) -> None:
    """Give the journal's reason for the running call, beyond what its response says."""
    reasons = _reasons.get()
    if reasons is not None and reason not in reasons:
        reasons.append(reason)


@contextmanager
def collecting_reasons() -> Iterator[list[str]]:
    """Collect the reasons that are given within."""
    reasons: list[str] = []
    token = _reasons.set(reasons)
    try:
        yield reasons
    finally:
        _reasons.reset(token)
