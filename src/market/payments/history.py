"""A payment's history: an entry for whatever was learned of it or done to it, kept for good."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self, TypeAlias

from .domain import Payment, Status
from .record import Snapshot

# Of a record: state, captured, returned, deposited, currency, reference.
Told: TypeAlias = tuple[object, ...]


class Door(StrEnum):
    """What had the gateway asked: the buyer's completion, a webhook, the market by itself, the end
    of a cancellation, the comparison of lists, an operator."""

    BUYER = "BUYER"
    WEBHOOK = "WEBHOOK"
    SWEEP = "SWEEP"
    REFUND = "REFUND"
    COMPARISON = "COMPARISON"
    OPERATOR = "OPERATOR"


class What(StrEnum):
    ASKED = "ASKED"  # begun: so much is asked for
    FOUND = "FOUND"  # money came under the order of another payment, which had its own
    REGISTERED = "REGISTERED"  # the gateway knows how much, before any checkout
    LOOKED = "LOOKED"  # the gateway's record showed this
    EXPIRED = "EXPIRED"  # its trade waits for it no longer
    REFUND_TRIED = "REFUND_TRIED"  # the gateway is asked to send so much back
    REFUND_REFUSED = "REFUND_REFUSED"
    REFUND_GIVEN_UP = "REFUND_GIVEN_UP"  # an operator decided that it is asked for no more
    ACCOUNT_NAMED = "ACCOUNT_NAMED"  # where a deposit is to go back to; never which account


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of it. `before` and `after` are the payment's status; `amount` is in minor units.

    Of `seen`, the gateway's record, amounts and state are kept, and its name for the attempt: no
    account.
    """

    what: What
    after: Status
    before: Status | None = None
    amount: int | None = None
    door: Door | None = None
    seen: Snapshot | None = None
    note: str | None = None

    @classmethod
    def asked(cls, payment: Payment) -> Self:
        return cls(What.ASKED, payment.status, amount=payment.amount.amount)

    @classmethod
    def found(cls, payment: Payment) -> Self:
        return cls(What.FOUND, payment.status)

    @classmethod
    def looked(cls, payment: Payment, before: Status, seen: Snapshot | None, door: Door) -> Self:
        note = seen.failure if seen else None
        return cls(What.LOOKED, payment.status, before, door=door, seen=seen, note=note)

    @classmethod
    def of(
        cls, what: What, payment: Payment, *, amount: int | None = None, note: str | None = None
    ) -> Self:
        """Of something that left the payment's status as it was."""
        return cls(what, payment.status, payment.status, amount=amount, note=note)

    @classmethod
    def expired(cls, payment: Payment, before: Status) -> Self:
        return cls(What.EXPIRED, payment.status, before)


def told_of(seen: Snapshot | None) -> Told:
    """What a history keeps of a record."""
    if seen is None:
        return (None,) * 6
    captured = seen.captured
    return (
        *(seen.state, captured.amount, seen.returned, seen.deposited, captured.currency),
        seen.reference,
    )
