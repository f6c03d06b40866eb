"""Transfers. Each moves an amount from one account to another, so the accounts always sum to zero;
each source is recorded at most once per kind."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from market.shared.ids import MemberId
from market.shared.money import Money

# Accounts: money at the gateway, money held for buyers, our fees.
GATEWAY = "gateway"
ESCROW = "escrow"
FEES = "fees"
# Refunds after the seller was credited: a debt to us, to be collected.
RECEIVABLES = "claims"


def seller_account(seller: MemberId) -> str:
    """The account of the money we owe a seller."""
    return f"seller:{seller}"


class TransferKind(StrEnum):
    CAPTURED = "CAPTURED"
    REFUNDED = "RETURNED"
    SETTLED = "SETTLED"
    FEE = "FEE"


@dataclass(frozen=True, slots=True)
class Transfer:
    """Moves `amount` from `debit` to `credit`; `source` identifies the cause, once per kind.

    `occurred_at` is the time of the cause; the database adds the time of recording.
    """

    kind: TransferKind
    source: str
    debit: str
    credit: str
    amount: Money
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class Line:
    """One transfer from the view of one of its accounts.

    `amount` is in minor units, negative for a debit. `occurred_at` is the time of the cause, which
    orders statements; `recorded_at` the time of recording.
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
    """A page of an account's transfers in a period.

    `opening` and `closing` are the balances before and after the whole period, in minor units of
    `currency`; `next_cursor` is None on the last page. A transfer recorded late stands at the time
    of its cause, so past statements can still grow: `recorded_at` tells when.
    """

    account: str
    currency: str
    opening: int
    lines: Sequence[Line]
    closing: int
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Balance:
    """An account's balance, in minor units. The gateway's is negative: it holds what we owe buyers
    and sellers."""

    account: str
    currency: str
    amount: int
