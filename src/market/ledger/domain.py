"""Transfers. Each takes from one account what it gives to another, so no set of them can be
out of balance; each has a source that can be recorded once."""

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
CLAIMS = "claims"


def seller_account(seller: MemberId) -> str:
    """What we owe a seller."""
    return f"seller:{seller}"


class Kind(StrEnum):
    CAPTURED = "CAPTURED"
    RETURNED = "RETURNED"
    SETTLED = "SETTLED"
    FEE = "FEE"


@dataclass(frozen=True, slots=True)
class Transfer:
    """`amount` from `debit` to `credit`; `source` names what happened, once per kind.

    `occurred_at` is when it happened; when it was recorded is the database's to say.
    """

    kind: Kind
    source: str
    debit: str
    credit: str
    amount: Money
    occurred_at: datetime
