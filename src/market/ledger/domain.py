"""Transfers. Each takes from one account what it gives to another, so no set of them can be
out of balance; each has a source that can be recorded once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from market.shared.ids import MemberId
from market.shared.money import Money

# The accounts. What the gateway holds for us, what we hold for buyers, what we earned.
GATEWAY = "gateway"
ESCROW = "escrow"
FEES = "fees"
# What went back to a buyer after the seller was credited: somebody owes it to us.
RECEIVABLES = "claims"


def seller_account(seller: MemberId) -> str:
    """What we owe a seller."""
    return f"seller:{seller}"


class TransferKind(StrEnum):
    CAPTURED = "CAPTURED"
    REFUNDED = "RETURNED"
    SETTLED = "SETTLED"
    FEE = "FEE"


@dataclass(frozen=True, slots=True)
class Transfer:
    """`amount` from `debit` to `credit`; `source` names what happened, once per kind.

    `occurred_at` is when it happened; when it was recorded is the database's to say.
    """

    kind: TransferKind
    source: str
    debit: str
    credit: str
    amount: Money
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class Line:
    """One transfer as one of its accounts sees it.

    `amount` is in minor units: what the account received, or below 0 what it gave. `occurred_at`
    is when it happened, by which statements are ordered; `recorded_at` when we learned of it.
    """

    id: int
    occurred_at: datetime
    recorded_at: datetime
    kind: TransferKind
    source: str
    counter_account: str
    amount: int


@dataclass(frozen=True, slots=True)
class Statement:
    """What happened to an account in a time, a page of it at once.

    `opening` and `closing` are the balances, in minor units of `currency`, before and after the
    whole time, whichever page this is; `next_cursor` is None on the last. What was recorded late
    stands where it happened, so a statement of the past can still grow: `recorded_at` says when.
    """

    account: str
    currency: str
    opening: int
    lines: Sequence[Line]
    closing: int
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Balance:
    """What an account holds, in minor units. Below 0 it has given more than it received: as the
    gateway's always has, which owes us what we owe buyers and sellers."""

    account: str
    currency: str
    amount: int
