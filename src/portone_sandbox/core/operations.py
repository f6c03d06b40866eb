"""The operations that PortOne documents, to tell those the sandbox does not play by name."""

import re
from typing import NamedTuple


class _Operation(NamedTuple):
    method: str
    template: str
    pattern: re.Pattern[str]


class Operations:
    """The documented operations of one version: a text of lines `METHOD /path/{parameter}`."""

    def __init__(self, text: str) -> None:
        lines = [line.split(" ", 1) for line in text.split("\n") if line]
        # Fixed words win over parameters.
        lines.sort(key=lambda line: (line[1].count("{"), line[1]))
        self._operations = [
            _Operation(method, path, re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path)))
            for method, path in lines
        ]

    def all(self) -> list[str]:
        """Every documented operation, as `METHOD /path/{parameter}`."""
        return [f"{one.method} {one.template}" for one in self._operations]

    def find(self, method: str, path: str) -> str | None:
        """The documented operation that a call means, as `METHOD /path/{parameter}`."""
        for operation in self._operations:
            if operation.method == method and operation.pattern.fullmatch(path):
                return f"{operation.method} {operation.template}"
        return None


def not_played(operation: str) -> str:
    """The message for an operation that PortOne has and the sandbox does not."""
    return f"{operation} is not played by the sandbox"
