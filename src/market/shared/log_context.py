"""The ids that logs and traces carry: of the trade, payment, request or job in hand. Each task has
its own context, and the tasks that it starts begin with a copy."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

_ids: ContextVar[Mapping[str, str]] = ContextVar("log_context", default=MappingProxyType({}))


def ids() -> Mapping[str, str]:
    """Trade, payment, request, member, job …, as far as they are known by now."""
    return _ids.get()


def clear_and_bind(**ids: str) -> None:
    """Replaces the context: new work begins."""
    _ids.set(ids)


def bind(**ids: str) -> None:
    """Adds ids, from here on."""
    _ids.set({**_ids.get(), **ids})


@contextmanager
def bound(**ids: str) -> Iterator[None]:
    """Adds ids until the end of the block."""
    before = _ids.set({**_ids.get(), **ids})
    try:
        yield
    finally:
        _ids.reset(before)
