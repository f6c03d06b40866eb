"""What the work in hand is about: ids by name, for whatever is said of it meanwhile in logs and
traces. Each task has its own, which those that it starts begin with."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

_ids: ContextVar[Mapping[str, str]] = ContextVar("about", default=MappingProxyType({}))


def ids() -> Mapping[str, str]:
    """Trade, payment, request, member, job …, as far as they are known by now."""
    return _ids.get()


def begin(**ids: str) -> None:
    """Something new: about this, and nothing of what was before."""
    _ids.set(ids)


def add(**ids: str) -> None:
    """About this as well, from here on."""
    _ids.set({**_ids.get(), **ids})


@contextmanager
def meanwhile(**ids: str) -> Iterator[None]:
    """About this as well, until the end of the block."""
    before = _ids.set({**_ids.get(), **ids})
    try:
        yield
    finally:
        _ids.reset(before)
