"""The table of docs/reliability.md: each safeguard, the removed code, and the red tests."""

from collections.abc import Mapping, Sequence

from .safeguards import ROOT, InSchema, Safeguard, whole

PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- safeguards: written by `make mutation` -->", "<!-- safeguards end -->"
_HEAD = ("| safeguard | file | removed code | red tests |", "|---|---|---|---|")
LONGEST = 90
# On the list, but not yet seen missed by a run of `make mutation`.
AWAITED: frozenset[str] = frozenset()


def row(safeguard: Safeguard) -> str:
    where = safeguard.where if isinstance(safeguard, InSchema) else f"`{safeguard.where}`"
    tests = ", ".join(f"`{_short(whole(test))}`" for test in safeguard.red)
    return f"| {safeguard.name} | {where} | {_code(safeguard.removed)} | {tests} |"


def rows() -> dict[str, str]:
    """The rows that stand on the page, by the safeguard's name."""
    text = PAGE.read_text()
    lines = text[text.index(BEGIN) : text.index(END)].splitlines()
    return {line.split("|")[1].strip(): line for line in lines if line.startswith("| ")}


def write(safeguards: Sequence[Safeguard], fresh: Mapping[str, str]) -> None:
    """Puts the fresh rows beside those that stand, in the list's order."""
    known = {**rows(), **fresh}
    lines = [
        BEGIN,
        *_HEAD,
        *(known[safeguard.name] for safeguard in safeguards if safeguard.name in known),
    ]
    text = PAGE.read_text()
    start, end = text.index(BEGIN), text.index(END)
    PAGE.write_text(text[:start] + "\n".join(lines) + "\n" + text[end:])


def _code(text: str) -> str:
    shown = text if len(text) <= LONGEST else text[:LONGEST] + "…"
    return "`" + shown.replace("|", "\\|").replace("`", "'") + "`"


def _short(test: str) -> str:
    return test.rpartition("::")[2].replace("|", "\\|")
