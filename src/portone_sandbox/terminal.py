"""One line per call in the terminal, with the reason of each refusal."""

import os
import select
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Literal

from portone_sandbox.core.journal import Entry

LogLevel = Literal["all", "refused", "none"]
# POSIX writes so many bytes to a pipe in one piece, and a pipe that is ready has room for them.
_LINE_BYTES_MAX = 512


def printer(level: LogLevel) -> Callable[[Entry], None]:
    """A function that prints the calls of a level."""

    def show(entry: Entry) -> None:
        if level == "all" or (level == "refused" and entry.reason):
            _write(_line(entry))

    return show


def _line(entry: Entry) -> str:
    status = "reset" if entry.status is None else entry.status
    words = [f"{entry.at:%H:%M:%S}", entry.version, entry.method, entry.path, status]
    remarks = [*([entry.reason] if entry.reason else []), *entry.notes]
    return " ".join(map(str, words)) + "".join(f" – {remark}" for remark in remarks)


def _write(line: str) -> None:
    """Print a line, unless its reader is too slow: that must not stop the sandbox."""
    printable = "".join(char if char.isprintable() else "·" for char in line)
    text = printable.encode(sys.stdout.encoding or "utf-8", "replace")
    with suppress(OSError, ValueError):  # nobody reads any more
        out = sys.stdout.fileno()
        if os.name != "posix" or select.select([], [out], [], 0)[1]:
            os.write(out, text[: _LINE_BYTES_MAX - 1] + b"\n")
