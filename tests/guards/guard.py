"""What a guard is, and how one is taken out of a copy of the tree."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class InCode:
    """A guard in the source: `take_out` stands once in the file `where`, and `put_in` replaces it.

    `red` are the tests that must fail then, as paths under tests/; a test with parameters is red
    when one of them is.
    """

    name: str
    where: str
    take_out: str
    red: tuple[str, ...]
    put_in: str = ""

    @property
    def what(self) -> str:
        """What is taken out, in a line."""
        return " ".join(self.take_out.split())

    @contextmanager
    def taken_out(self, tree: Path) -> Iterator[None]:
        """The tree is without it for the block."""
        path = tree / self.where
        source = path.read_text()
        path.write_text(self.without(source))
        try:
            yield
        finally:
            path.write_text(source)

    def without(self, source: str) -> str:
        """The file's text without it. Raises ValueError where it is not found exactly once."""
        if source.count(self.take_out) != 1:
            raise ValueError(f"{self.name}: to be found once in {self.where}: {self.take_out}")
        return source.replace(self.take_out, self.put_in)


@dataclass(frozen=True)
class InDatabase:
    """A guard in the schema, dropped by a migration that the copy of the tree gets at its end."""

    name: str
    what: str
    red: tuple[str, ...]
    where: str = "the schema"

    @contextmanager
    def taken_out(self, tree: Path) -> Iterator[None]:
        """The tree is without it for the block."""
        versions = tree / "migrations" / "versions"
        head = max(path.stem[:4] for path in versions.glob("0*.py"))
        step = versions / "9999_guard_taken_out.py"
        step.write_text(
            "from alembic import op\n\n"
            f'revision = "9999"\ndown_revision = "{head}"\n\n\n'
            f'def upgrade() -> None:\n    op.execute("{self.what}")\n'
        )
        try:
            yield
        finally:
            step.unlink()


Guard = InCode | InDatabase


def whole(test: str) -> str:
    """A test's full name, which the list may cut short; parameters stay. Raises ValueError."""
    path, _, name = test.partition("::")
    stem, bracket, parameters = name.partition("[")
    source = (ROOT / "tests" / path).read_text()
    found = re.findall(rf"^(?:async )?def ({re.escape(stem)}\w*)\(", source, re.MULTILINE)
    if len(found) != 1:
        raise ValueError(f"to be found once: {test}; found {found}")
    return f"{path}::{found[0]}{bracket}{parameters}"
