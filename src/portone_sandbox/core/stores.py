"""Stores: sandboxes side by side in one process, apart from each other in everything."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import msgspec

from portone_sandbox.core.errors import InvalidRequest
from portone_sandbox.core.journal import Entry
from portone_sandbox.core.state import SandboxState
from portone_sandbox.core.store import Store

STORES_MAX = 500
MAIN = ""
# Visible ASCII, so that a test's own name fits, but no slash: the name is a part of a path.
_NAME = re.compile(r"(?!\.{1,2}$)[!-.0-~]{1,200}")
_current: ContextVar[SandboxState] = ContextVar("sandbox")


class Stores:
    """Sandboxes by name. The main one has the file; the others are in memory, made when named.

    Each has payments, webhooks, keys, tokens, settings, faults, journal and clock of its own. Of
    more than STORES_MAX the longest unused is dropped.
    """

    def __init__(self, main: SandboxState) -> None:
        self.main = main
        self._named: dict[str, SandboxState] = {}  # the longest unused first
        self.on_open: Callable[[SandboxState], None] = lambda _: None
        self.on_drop: Callable[[SandboxState], None] = lambda _: None

    def get(self, name: str) -> SandboxState:
        """The store of this name, empty if it is new. Raises InvalidRequest for what is no name."""
        if name == MAIN:
            return self.main
        found = self._named.pop(name, None) or self._open(name)
        self._named[name] = found
        return found

    def names(self) -> list[str]:
        """The names in use."""
        return sorted(self._named)

    def drop(self, name: str) -> None:
        """Delete a store and all that is in it; an unknown name changes nothing."""
        dropped = self._named.pop(name, None)
        if dropped:
            self.on_drop(dropped)

    def _open(self, name: str) -> SandboxState:
        if not _NAME.fullmatch(name):
            raise InvalidRequest("a store's name is 1 to 200 visible ASCII characters without a /")
        while len(self._named) >= STORES_MAX:
            self.drop(next(iter(self._named)))
        main = self.main
        opened = SandboxState(Store(":memory:"), main.initial_flags, name, main.seed)
        opened.journal.on_entry = lambda entry: main.journal.on_entry(_placed(entry, name))
        self.on_open(opened)
        return opened


def _placed(entry: Entry, name: str) -> Entry:
    """The entry as the terminal shows it, among those of all stores."""
    return msgspec.structs.replace(entry, path=f"/stores/{name}{entry.path}")


def current_sandbox() -> SandboxState:
    """The sandbox that the running call is for."""
    return _current.get()


@contextmanager
def serving(sandbox: SandboxState) -> Iterator[None]:
    """Make a sandbox the current one."""
    token = _current.set(sandbox)
    try:
        yield
    finally:
        _current.reset(token)
