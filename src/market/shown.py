"""How a shell shows incidents, statements and what is broken: plain lines, one thing each."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from market.ledger.domain import Balance, Statement
from market.payments.incident import Incident
from market.verify import Broken


def broken(found: Sequence[Broken]) -> Iterator[str]:
    """Each invariant that does not hold, and below it each thing that breaks it."""
    by_invariant: dict[str, list[Broken]] = {}
    for item in found:
        by_invariant.setdefault(item.invariant, []).append(item)
    for invariant, items in by_invariant.items():
        yield f"BROKEN: {invariant}"
        for item in items:
            yield f"    {_words(item.found)}"
    if found:
        yield f"Invariants broken: {len(by_invariant)}; by so many things: {len(found)}."


def incidents(found: Sequence[Incident]) -> Iterator[str]:
    """An incident a line, and below it what was seen and how it ended."""
    if not found:
        yield "No incidents."
    for incident in found:
        yield f"{incident.id}  {_moment(incident.reported_at)}  {incident.kind}  {incident.subject}"
        if incident.trade_id is not None:
            yield f"    payment {incident.payment_id} of trade {incident.trade_id}"
        yield f"    seen: {_words(incident.seen)}"
        if incident.settlement is not None:
            end = incident.settlement
            yield f"    settled {_moment(end.at)} by {end.by}: {end.how}"


def balances(found: Sequence[Balance]) -> Iterator[str]:
    """An account a line."""
    width = max((len(balance.account) for balance in found), default=0)
    for balance in found:
        yield f"{balance.account:<{width}}  {balance.amount:>+16,}  {balance.currency}"
    if not found:
        yield "The ledger is empty."


def statement(pages: Iterable[Statement]) -> Iterator[str]:
    """The opening balance, a transfer a line, the closing balance."""
    last: Statement | None = None
    for page in pages:
        if last is None:
            yield f"{page.account} in {page.currency}"
            yield f"{'opening balance':<56}{page.opening:>+16,}"
        for line in page.lines:
            when, learned = _moment(line.occurred_at), _moment(line.recorded_at)
            head = f"{when}  recorded {learned}  {line.kind}"
            yield f"{head:<56}{line.amount:>+16,}  {line.counter_account}  {line.source}"
        last = page
    if last is not None:
        yield f"{'closing balance':<56}{last.closing:>+16,}"


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _words(found: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_word(value)}" for name, value in found.items())


def _word(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"({_words(value)})"
    return "none" if value is None else str(value)
