"""The address at which the running call found the sandbox, for links in its response."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_HOST = re.compile(r"[A-Za-z0-9.\-]{1,253}(:\d{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:\d{1,5})?")
_base: ContextVar[str] = ContextVar("base", default="")
_origin: ContextVar[str] = ContextVar("origin", default="http://127.0.0.1:8100")


def origin() -> str:
    """Scheme, host and port, and the store's path, without a slash at the end."""
    return _origin.get() + _base.get()


def base() -> str:
    """The path of the store that the running call named by its path, else nothing."""
    return _base.get()


@contextmanager
def below(path: str) -> Iterator[None]:
    """Set the base of a call."""
    token = _base.set(path)
    try:
        yield
    finally:
        _base.reset(token)


@contextmanager
def found_at(scheme: str, host: str) -> Iterator[None]:
    """Set the origin of a call by its Host header; one that is no host changes nothing."""
    if not _HOST.fullmatch(host):
        yield
        return
    token = _origin.set(f"{scheme}://{host}")
    try:
        yield
    finally:
        _origin.reset(token)
