"""The marks in the source, `# safeguard: name`, and the statement that each stands at.

A mark ends the line of its statement or stands above it; several may stand above one statement.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_MARK = re.compile(r"# safeguard: (\S.*)")


@dataclass(frozen=True)
class Marked:
    """A marked statement, with the text of its file."""

    text: str
    statement: ast.stmt

    def span(self, node: ast.stmt | ast.expr) -> tuple[int, int]:
        """Where a node of the statement begins and ends in the text."""
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return (
            self._offset(node.lineno, node.col_offset),
            self._offset(node.end_lineno, node.end_col_offset),
        )

    def _offset(self, line: int, column: int) -> int:
        """The parser counts columns in bytes, and Korean letters have three."""
        lines = self.text.splitlines(keepends=True)
        before = lines[line - 1].encode()[:column].decode()
        return sum(map(len, lines[: line - 1])) + len(before)


@cache
def marked(text: str) -> Mapping[str, Marked]:
    """The marked statements of a file, by their marks' names.

    Raises ValueError for a name that is given twice, or a mark with no statement.
    """
    if _MARK.search(text) is None:
        return {}
    statements = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.stmt)]
    found: dict[str, Marked] = {}
    for line, name, alone in _marks(text):
        if name in found:
            raise ValueError(f"marked twice: {name}")
        found[name] = Marked(text, _statement(statements, line, alone=alone))
    return found


def _marks(text: str) -> Iterator[tuple[int, str, bool]]:
    """Line, name, and whether nothing else stands on the line."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT and (mark := _MARK.fullmatch(token.string)):
            yield token.start[0], mark[1], not token.line[: token.start[1]].strip()


def _statement(statements: list[ast.stmt], line: int, *, alone: bool) -> ast.stmt:
    around = [one for one in statements if one.lineno <= line <= (one.end_lineno or one.lineno)]
    innermost = max(around, key=lambda one: one.lineno, default=None)
    if innermost is not None and not (alone and hasattr(innermost, "body")):
        return innermost
    below = [one for one in statements if one.lineno > line]
    if not alone or not below:
        raise ValueError(f"no statement at the mark in line {line}")
    return min(below, key=lambda one: one.lineno)


@cache
def files(root: Path) -> Mapping[str, Path]:
    """Every mark of the project's source and migrations, with the file it stands in.

    Raises ValueError for a name that two files give.
    """
    found: dict[str, Path] = {}
    for top in ("src/market", "migrations"):
        for path in sorted((root / top).rglob("*.py")):
            for name in marked(path.read_text()):
                if name in found:
                    raise ValueError(f"marked in {found[name]} and in {path}: {name}")
                found[name] = path.relative_to(root)
    return found
