"""The matrix as a table in docs/reliability.md, between two marks."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .cells import CALL_FAULTS, STEPS, TOLD, VERSIONS, WEBHOOK_FAULTS, Healed, Step, Told

BEGIN, END = "<!-- the matrix begins -->", "<!-- the matrix ends -->"
NOT_THERE = "–"
SHORT: Mapping[Healed, str] = {
    Healed.AT_ONCE: "·",
    Healed.REPEAT: "again",
    Healed.SWEEP: "sweep",
    Healed.ARRIVAL: "comes",
    Healed.COMPARISON: "night",
}


def exists(row: Step | Told, version: str) -> bool:
    """Whether a version has such a call, or tells of such an event."""
    return version in (row.calls if isinstance(row, Step) else row.names)


@dataclass
class Matrix:
    """What each cell took, by row, column and version."""

    cells: dict[tuple[str, str, str], Healed] = field(default_factory=dict)

    def note(self, row: str, column: str, version: str, took: Healed) -> None:
        self.cells[row, column, version] = took

    def write(self, file: Path) -> None:
        """Raises KeyError when a cell was not run."""
        file.write_text(self.written_into(file.read_text()))

    def written_into(self, text: str) -> str:
        """The text, with the tables between its marks."""
        head, _, rest = text.partition(BEGIN)
        _, _, tail = rest.partition(END)
        return f"{head}{BEGIN}\n\n{self.shown()}\n{END}{tail}"

    def shown(self) -> str:
        calls = self._table("call", STEPS, [fault.title for fault in CALL_FAULTS])
        told = self._table("webhook", TOLD, [fault.title for fault in WEBHOOK_FAULTS])
        return f"{calls}\n{told}"

    def _table(self, what: str, rows: Iterable[Step | Told], columns: Sequence[str]) -> str:
        lines = [[what, *columns], ["---"] * (len(columns) + 1)]
        lines += [[row.title, *(self._cell(row, column) for column in columns)] for row in rows]
        return "".join(f"| {' | '.join(line)} |\n" for line in lines)

    def _cell(self, row: Step | Told, column: str) -> str:
        each = [
            SHORT[self.cells[row.title, column, version]] if exists(row, version) else NOT_THERE
            for version in VERSIONS
        ]
        return each[0] if len(set(each)) == 1 else " / ".join(each)


def outline(text: str) -> tuple[list[list[str]], list[list[str]]]:
    """Of the tables between the marks: their header rows, and the first cells of all others."""
    between = text.partition(BEGIN)[2].partition(END)[0]
    headers, rows = [], []
    for block in between.strip().split("\n\n"):
        lines = [
            [part.strip() for part in line.strip("| ").split("|")] for line in block.split("\n")
        ]
        headers.append(lines[0])
        rows.append([line[0] for line in lines[2:]])
    return headers, rows
