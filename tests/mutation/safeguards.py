"""What a safeguard is, and how one is taken out of a copy of the tree."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from . import marks
from .removals import Edit, Removal

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class InSource:
    """A safeguard in the source, marked `# safeguard: name` where it stands.

    `red` are the tests that must fail without it, as paths under tests/; a test with parameters is
    red when one of them is.
    """

    name: str
    removal: Removal
    red: tuple[str, ...]

    @property
    def where(self) -> str:
        """Its file. Raises ValueError where nothing bears the mark."""
        try:
            return str(marks.files(ROOT)[self.name])
        except KeyError:
            raise ValueError(f"nothing is marked `# safeguard: {self.name}`") from None

    @property
    def removed(self) -> str:
        """The code that is taken out, in a line."""
        return " ".join(self.edit((ROOT / self.where).read_text()).shown.split())

    @contextmanager
    def taken_out(self, tree: Path) -> Iterator[None]:
        """The tree is without it for the block."""
        path = tree / self.where
        source = path.read_text()
        path.write_text(self.edit(source).applied(source))
        try:
            yield
        finally:
            path.write_text(source)

    def edit(self, source: str) -> Edit:
        """What changes in its file. Raises ValueError where the removal does not fit."""
        try:
            return self.removal(marks.marked(source)[self.name])
        except ValueError as trouble:
            raise ValueError(f"{self.name}: {trouble}") from trouble


@dataclass(frozen=True)
class InSchema:
    """A safeguard in the schema, dropped by a last migration that the copy of the tree gets."""

    name: str
    removed: str
    red: tuple[str, ...]
    where: str = "the schema"

    @contextmanager
    def taken_out(self, tree: Path) -> Iterator[None]:
        """The tree is without it for the block."""
        versions = tree / "migrations" / "versions"
        head = max(path.stem[:4] for path in versions.glob("0*.py"))
        step = versions / "9999_safeguard_taken_out.py"
        step.write_text(
            "from alembic import op\n\n"
            f'revision = "9999"\ndown_revision = "{head}"\n\n\n'
            f'def upgrade() -> None:\n    op.execute("{self.removed}")\n'
        )
        try:
            yield
        finally:
            step.unlink()


Safeguard = InSource | InSchema


@cache
def whole(test: str) -> str:
    """A test's full name, which the list may cut short; parameters stay. Raises ValueError."""
    path, _, name = test.partition("::")
    stem, bracket, parameters = name.partition("[")
    source = (ROOT / "tests" / path).read_text()
    found = re.findall(rf"^(?:async )?def ({re.escape(stem)}\w*)\(", source, re.MULTILINE)
    if len(found) != 1:
        raise ValueError(f"to be found once: {test}; found {found}")
    return f"{path}::{found[0]}{bracket}{parameters}"
