"""The list of safeguards is whole, and fits the source as it stands."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from market.kit.db.database import Database

from . import in_schema, in_source, marks, removals, table
from .__main__ import SAFEGUARDS
from .safeguards import ROOT, InSource, whole

# A safeguard wherever it stands in the source.
EVIDENT = re.compile(
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


def test_every_lock_version_check_and_comparison_of_secrets_is_marked() -> None:
    unmarked = []
    for path in sources():
        parts = removed(path)
        unmarked += [
            (str(path.relative_to(ROOT)), found.group())
            for found in EVIDENT.finditer(without_words(path, path.read_text()))
            if not any(start < found.end() and found.start() < end for start, end in parts)
        ]
    assert unmarked == []


def removed(path: Path) -> list[tuple[int, int]]:
    """The parts of a file that the safeguards' removals take out."""
    text, here = path.read_text(), str(path.relative_to(ROOT))
    edits = [one.edit(text) for one in in_source.SAFEGUARDS if one.where == here]
    return [(edit.start, edit.end) for edit in edits]


def test_every_mark_has_an_entry_and_every_entry_its_mark() -> None:
    assert set(marks.files(ROOT)) == {safeguard.name for safeguard in in_source.SAFEGUARDS}


async def test_every_constraint_and_trigger_of_the_schema_is_on_the_list(db: Database) -> None:
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
    assert ours == {safeguard.name for safeguard in in_schema.SAFEGUARDS}


@pytest.mark.parametrize("safeguard", in_source.SAFEGUARDS, ids=lambda one: one.name)
def test_a_removal_changes_its_file_which_still_parses(safeguard: InSource) -> None:
    source = (ROOT / safeguard.where).read_text()
    changed = safeguard.edit(source).applied(source)
    compile(changed, safeguard.where, "exec")
    assert ast.dump(ast.parse(changed)) != ast.dump(ast.parse(source))


_ASKS = "if a and b() and c:\n        d()"
_COMPARES = 'x = not y.equal(1, 2) and "값"'
_WRITES = 'x = f"값 AND version = ${n} AND b"'


@pytest.mark.parametrize(
    ("removal", "before", "after"),
    [
        (removals.statement(), _COMPARES, "pass"),
        (removals.statement("a()\nb()"), _COMPARES, "a()\n    b()"),
        (removals.condition(), _ASKS, "if False:\n        d()"),
        (removals.operand("b"), _ASKS, "if (a and c):\n        d()"),
        (removals.operand("c"), _ASKS, "if (a and b()):\n        d()"),
        (removals.call("equal", "True"), _COMPARES, 'x = not True and "값"'),
        (removals.other_method("equal", "same"), _COMPARES, 'x = not y.same(1, 2) and "값"'),
        (removals.row_lock(), 'x = "값" + " FOR UPDATE OF a SKIP LOCKED"', 'x = "값" + ""'),
        (removals.version_check(), _WRITES, 'x = f"값 AND ${n}::bigint IS NOT NULL AND b"'),
        (removals.sql(" AND b"), _WRITES, 'x = f"값 AND version = ${n}"'),
        (removals.key("b"), 'x = {"값": 1, "b": equal(2)}', 'x = {"값": 1, **{}}'),
    ],
)
@pytest.mark.parametrize("mark", ["above", "beside"])
def test_a_removal_cuts_its_part_of_the_marked_statement_alone(
    removal: removals.Removal, before: str, after: str, mark: str
) -> None:
    def file(statement: str) -> str:
        first, newline, rest = statement.partition("\n")
        if mark == "above":
            marked = f"# safeguard: it\n    {statement}"
        else:
            marked = f"{first}  # safeguard: it{newline}{rest}"
        return f"def f():\n    {_COMPARES}\n    {marked}\n    {_COMPARES}\n"

    changed = removal(marks.marked(file(before))["it"]).applied(file(before))
    assert ast.dump(ast.parse(changed)) == ast.dump(ast.parse(file(after)))


@pytest.mark.parametrize(
    "removal",
    [
        removals.condition(),
        removals.operand("z"),
        removals.call("z", "True"),
        removals.other_method("z", "y"),
        removals.row_lock(),
        removals.version_check(),
        removals.sql("z"),
        removals.key("z"),
    ],
)
def test_a_removal_with_nothing_to_remove_is_refused(removal: removals.Removal) -> None:
    with pytest.raises(ValueError, match=r"found 0|mention"):
        removal(marks.marked("x = 1  # safeguard: it\n")["it"])


def test_a_mark_that_is_given_twice_or_stands_at_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="marked twice"):
        marks.marked("x = 1  # safeguard: it\ny = 1  # safeguard: it\n")
    with pytest.raises(ValueError, match="no statement"):
        marks.marked("x = 1\n# safeguard: it\n")


def test_the_tests_that_prove_a_safeguard_exist() -> None:
    for safeguard in SAFEGUARDS:
        assert safeguard.red
        assert all(whole(test) for test in safeguard.red)


def test_the_page_shows_every_safeguard_that_was_taken_out() -> None:
    """`make mutation ONLY=…` writes the rows of new ones; until then they are listed as awaited."""
    shown = [name for name in table.rows() if name != "safeguard"]
    assert shown == [one.name for one in SAFEGUARDS if one.name not in table.AWAITED]


def test_names_are_given_once() -> None:
    assert len({safeguard.name for safeguard in SAFEGUARDS}) == len(SAFEGUARDS)
