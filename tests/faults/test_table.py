"""The table in the docs is the matrix: nobody has to believe a row that is not tried any more."""

from pathlib import Path

from .cells import CALL_FAULTS, STEPS, TOLD, VERSIONS, WEBHOOK_FAULTS, Healed
from .table import SHORT, Matrix, exists, outline

DOCS = Path(__file__).parents[2] / "docs" / "reliability.md"


def test_the_docs_have_the_rows_and_columns_of_the_matrix() -> None:
    headers, rows = outline(DOCS.read_text())
    assert headers == [
        ["call", *(fault.title for fault in CALL_FAULTS)],
        ["webhook", *(fault.title for fault in WEBHOOK_FAULTS)],
    ]
    assert rows == [[step.title for step in STEPS], [told.title for told in TOLD]]


def test_the_docs_explain_every_word_of_the_matrix() -> None:
    text = DOCS.read_text()
    for word in SHORT.values():
        assert f"| `{word}` |" in text


def test_a_row_that_is_new_or_gone_is_seen() -> None:
    """What is written reads back as the outline, and a line less does not."""
    matrix = Matrix()
    for rows, columns in ((STEPS, CALL_FAULTS), (TOLD, WEBHOOK_FAULTS)):
        for row in rows:
            for column in columns:
                for version in VERSIONS:
                    if exists(row, version):
                        matrix.note(row.title, column.title, version, Healed.SWEEP)
    before = DOCS.read_text()
    written = matrix.written_into(before)
    assert outline(written) == outline(before)
    lines = written.splitlines(keepends=True)
    at = next(number for number, line in enumerate(lines) if STEPS[3].title in line)
    assert outline("".join(lines[:at] + lines[at + 1 :])) != outline(before)
