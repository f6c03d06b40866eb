"""The list of guards is whole, and fits the source as it stands."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from market.kit.db import Database

from . import in_code, in_database, table
from .__main__ import GUARDS
from .guard import ROOT, InCode, whole

# What is a guard wherever it stands in the source.
MARKS = re.compile(
    r"\bFOR (NO KEY )?(UPDATE|SHARE)\b|pg_\w*advisory\w*lock|AND version = |compare_digest\("
)


def sources() -> Iterator[Path]:
    yield from sorted((ROOT / "src" / "market").rglob("*.py"))
    yield from sorted(
        path for path in (ROOT / "migrations").rglob("*") if path.suffix in {".py", ".sql"}
    )


def without_words(path: Path, text: str) -> str:
    """The source with comments and docstrings blanked, so that only what runs is left."""
    if path.suffix != ".py":
        return text
    lines = [list(line) for line in text.splitlines(keepends=True)]
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1][column : token.end[1]] = " " * (token.end[1] - column)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            for number in range(node.lineno - 1, node.end_lineno or node.lineno):
                lines[number] = list(" " * (len(lines[number]) - 1) + "\n")
    return "".join("".join(line) for line in lines)


def test_every_guard_in_the_source_is_on_the_list() -> None:
    unnamed = [
        (str(path.relative_to(ROOT)), found.group())
        for path in sources()
        for found in MARKS.finditer(without_words(path, path.read_text()))
        if not any(start <= found.start() < end for start, end in listed(path))
    ]
    assert unnamed == []


def listed(path: Path) -> list[tuple[int, int]]:
    """Where in the file the guards on the list stand."""
    text, here = path.read_text(), path.relative_to(ROOT)
    guards = [guard for guard in in_code.GUARDS if Path(guard.where) == here]
    starts = [(text.index(guard.take_out), len(guard.take_out)) for guard in guards]
    return [(start, start + length) for start, length in starts]


async def test_every_guard_in_the_schema_is_on_the_list(db: Database) -> None:
    rows = await db.fetch(
        """
        SELECT conname AS name FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid
        WHERE contype IN ('c', 'u', 'f', 'x') AND t.relnamespace = 'public'::regnamespace
        UNION
        SELECT i.relname FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
        WHERE x.indisunique AND NOT x.indisprimary AND i.relnamespace = 'public'::regnamespace
        UNION
        SELECT tgname FROM pg_trigger WHERE NOT tgisinternal
        """
    )
    ours = {row["name"] for row in rows if not re.match("(tg_)?pgqueuer|alembic", row["name"])}
    assert ours == {guard.name for guard in in_database.GUARDS}


@pytest.mark.parametrize("guard", in_code.GUARDS, ids=lambda guard: guard.name)
def test_a_guard_is_there_to_be_taken_out(guard: InCode) -> None:
    source = (ROOT / guard.where).read_text()
    changed = guard.without(source)
    assert changed != source
    compile(changed, guard.where, "exec")


def test_the_tests_that_prove_a_guard_exist() -> None:
    for guard in GUARDS:
        assert guard.red
        assert all(whole(test) for test in guard.red)


def test_the_page_shows_every_guard_that_was_taken_out() -> None:
    """`make guards ONLY=…` writes the rows of new ones; until then they are listed as awaited."""
    shown = [name for name in table.rows() if name != "guard"]
    assert shown == [guard.name for guard in GUARDS if guard.name not in table.AWAITED]


def test_names_are_given_once() -> None:
    assert len({guard.name for guard in GUARDS}) == len(GUARDS)
