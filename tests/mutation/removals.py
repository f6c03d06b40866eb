"""Ways to take a safeguard out of the statement that its mark stands at.

Each finds its place in the syntax tree, and raises ValueError where it is not there exactly once.
"""

import ast
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from .marks import Marked


@dataclass(frozen=True)
class Edit:
    """The text from `start` to `end` gives way to `put`; `shown` says what is taken out."""

    start: int
    end: int
    put: str
    shown: str

    def applied(self, text: str) -> str:
        return text[: self.start] + self.put + text[self.end :]


Removal = Callable[[Marked], Edit]
_Found = TypeVar("_Found")


def statement(becomes: str = "pass") -> Removal:
    """The whole statement; further lines of what stands there instead are indented like it."""

    def edit(at: Marked) -> Edit:
        indent = "\n" + " " * at.statement.col_offset
        return _replaced(at, at.statement, becomes.replace("\n", indent))

    return edit


def condition(becomes: str = "False") -> Removal:
    """What an `if` asks."""

    def edit(at: Marked) -> Edit:
        asked = [at.statement.test] if isinstance(at.statement, ast.If) else []
        found = _replaced(at, _one(asked, "an `if`"), becomes)
        return Edit(found.start, found.end, found.put, f"if {found.shown}:")

    return edit


def operand(mentions: str) -> Removal:
    """The part of an `and` or `or` that mentions a name."""

    def edit(at: Marked) -> Edit:
        outermost = next((node for node in _header(at) if isinstance(node, ast.BoolOp)), None)
        values = outermost.values if outermost else []
        named = [value for value in values if mentions in _names(value)]
        if outermost is None or len(named) != 1:
            raise ValueError(f"one part of a condition is to mention {mentions}")
        rest = [value for value in values if value is not named[0]]
        left = rest[0] if len(rest) == 1 else ast.BoolOp(outermost.op, rest)
        start, end = at.span(outermost)
        return Edit(start, end, f"({ast.unparse(left)})", ast.unparse(named[0]))

    return edit


def call(function: str, becomes: str) -> Removal:
    """A call, by the function's last name; an expression takes its place."""

    def edit(at: Marked) -> Edit:
        return _replaced(at, _call(at, function), becomes)

    return edit


def other_method(method: str, called_instead: str) -> Removal:
    """A call has another method of the same object called."""

    def edit(at: Marked) -> Edit:
        called = _call(at, method).func
        function = _one([called] if isinstance(called, ast.Attribute) else [], method)
        return _replaced(at, function, f"{ast.unparse(function.value)}.{called_instead}")

    return edit


def key(name: str) -> Removal:
    """An entry of a dictionary."""

    def edit(at: Marked) -> Edit:
        entry, value = _one(
            (
                (entry, value)
                for node in _header(at)
                if isinstance(node, ast.Dict)
                for entry, value in zip(node.keys, node.values, strict=True)
                if isinstance(entry, ast.Constant) and entry.value == name
            ),
            f"a dictionary with {name}",
        )
        start, end = at.span(entry)[0], at.span(value)[1]
        return Edit(start, end, "**{}", at.text[start:end])

    return edit


def sql(clause: str, becomes: str = "") -> Removal:
    """A clause of the statement's SQL."""
    return _sql(re.escape(clause), lambda _: becomes)


def row_lock() -> Removal:
    """FOR UPDATE or FOR SHARE, with all that belongs to it."""
    return _sql(r"\s*\bFOR (?:UPDATE|SHARE)\b(?: OF \w+)?(?: SKIP LOCKED)?", lambda _: "")


def version_check() -> Removal:
    """`version = $2`: any version will do."""
    return _sql(r"\bversion = (\$(?:\d+|\{\w+\}))", lambda found: f"{found[1]}::bigint IS NOT NULL")


def _sql(clause: str, becomes: Callable[[re.Match[str]], str]) -> Removal:
    def edit(at: Marked) -> Edit:
        start, found = _one(
            (
                (at.span(literal)[0], found)
                for literal in _literals(at.statement)
                for found in re.finditer(clause, at.text[slice(*at.span(literal))])
            ),
            f"SQL with {clause}",
        )
        return Edit(
            start + found.start(), start + found.end(), becomes(found), found.group().strip()
        )

    return edit


def _literals(node: ast.AST) -> Iterable[ast.expr]:
    """The string literals, f-strings as a whole."""
    if isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str)
    ):
        yield node
        return
    for child in ast.iter_child_nodes(node):
        yield from _literals(child)


def _header(at: Marked) -> Iterable[ast.AST]:
    """The nodes of the statement; of an `if`, those of its condition alone."""
    top = at.statement.test if isinstance(at.statement, ast.If) else at.statement
    return ast.walk(top)


def _call(at: Marked, function: str) -> ast.Call:
    calls = (node for node in _header(at) if isinstance(node, ast.Call))
    return _one(
        (one for one in calls if ast.unparse(one.func).rpartition(".")[2] == function),
        f"a call of {function}",
    )


def _names(node: ast.AST) -> set[str]:
    return {
        child.id if isinstance(child, ast.Name) else child.attr
        for child in ast.walk(node)
        if isinstance(child, ast.Name | ast.Attribute)
    }


def _replaced(at: Marked, node: ast.stmt | ast.expr, becomes: str) -> Edit:
    start, end = at.span(node)
    return Edit(start, end, becomes, " ".join(at.text[start:end].split()))


def _one(found: Iterable[_Found], sought: str) -> _Found:
    all_found = list(found)
    if len(all_found) != 1:
        raise ValueError(f"to be found once: {sought}; found {len(all_found)}")
    return all_found[0]
