"""The table of docs/reliability.md: each guard, what was taken out, what went red."""

from collections.abc import Mapping, Sequence

from .guard import ROOT, Guard, InDatabase, whole

PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- guards: written by `make guards` -->", "<!-- guards end -->"
_HEAD = ("| guard | where | what was taken out | what went red |", "|---|---|---|---|")
LONGEST = 90
# On the list, but not yet seen missed by a run of `make guards`.
AWAITED: frozenset[str] = frozenset(
    {
        "incident locked",
        "due payments claimed",
        "due cancellations claimed",
        "waiting webhooks claimed",
        "trade locked while it is approved",
        "one migration at a time",
        "migrations give up on a lock",
        "product version compared",
        "trade version compared",
        "payment version compared",
        "the product's version is the one the trade was read with",
        "trade and product version read in one snapshot",
        "a statement's lines and balances read in one snapshot",
        "no gateway call inside a transaction",
        "V1 is told the balance we believe in",
        "V2 is told the balance we believe in",
        "a V2 refund bears its wish's key",
        "a refund of nothing is never sent",
        "payment_events_door",
        "payment_events_look_by_a_door",
        "payment_events_payment_id_fkey",
        "payment_events_record_whole",
        "payment_events_what",
        "payment_events_registered_once",
        "payment_events_stand",
        "payment_events_stay",
        "a group's products locked",
        "member locked while they change",
        "the password is still the one that was checked",
        "one request per Idempotency-Key",
        "one purchase per Idempotency-Key, in whichever group",
        "a form's seal compared",
        "a form comes from a page of ours",
        "members_password_needs_email",
        "social_accounts_member_id_fkey",
        "social_accounts_named",
        "social_accounts_one_per_provider",
        "photos_place",
        "photos_position",
        "photos_product_id_fkey",
        "photos_size",
        "notices_kind",
        "notices_member_id_fkey",
        "notices_once",
        "notices_trade_id_fkey",
        "operator_acts_say_why",
        "operator_acts_stand",
        "operator_acts_stay",
        "trades_tell",
        "payments_tell",
    }
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
