"""The table of docs/reliability.md: each guard, what was taken out, what went red."""

from collections.abc import Mapping, Sequence

from .guard import ROOT, Guard, InDatabase, whole

PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- guards: written by `make guards` -->", "<!-- guards end -->"
_HEAD = ("| guard | where | what was taken out | what went red |", "|---|---|---|---|")
LONGEST = 90
# On the list, but not yet seen missed by a run of `make guards`.
AWAITED: frozenset[str] = frozenset(
    {"product_texts_product_id_fkey", "products_text_added", "products_text_changed"}
)


def row(guard: Guard) -> str:
    where = guard.where if isinstance(guard, InDatabase) else f"`{guard.where}`"
    tests = ", ".join(f"`{_short(whole(test))}`" for test in guard.red)
    return f"| {guard.name} | {where} | {_code(guard.what)} | {tests} |"


def rows() -> dict[str, str]:
    """The rows that stand on the page, by the guard's name."""
    text = PAGE.read_text()
    lines = text[text.index(BEGIN) : text.index(END)].splitlines()
    return {line.split("|")[1].strip(): line for line in lines if line.startswith("| ")}


def write(guards: Sequence[Guard], fresh: Mapping[str, str]) -> None:
    """Puts the fresh rows beside those that stand, in the list's order."""
    known = {**rows(), **fresh}
    lines = [BEGIN, *_HEAD, *(known[guard.name] for guard in guards if guard.name in known)]
    text = PAGE.read_text()
    start, end = text.index(BEGIN), text.index(END)
    PAGE.write_text(text[:start] + "\n".join(lines) + "\n" + text[end:])


def _code(text: str) -> str:
    shown = text if len(text) <= LONGEST else text[:LONGEST] + "…"
    return "`" + shown.replace("|", "\\|").replace("`", "'") + "`"


def _short(test: str) -> str:
    return test.rpartition("::")[2].replace("|", "\\|")
