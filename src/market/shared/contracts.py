"""What crosses from products to trades to payments when somebody buys."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from .ids import MemberId, PaymentId, ProductId, TradeId
from .money import Money
from .principals import MemberSummary, Party

# Reasons of the market's own, beside the parties' words: codes, which pages put into words.
NOT_PAID_IN_TIME = "not_paid_in_time"
CANCELLED_AT_GATEWAY = "cancelled_at_gateway"
CAME_TOO_LATE = "came_too_late"
FAILED_LATER = "refund_failed_later"
TRANSFER_FAILED = "transfer_failed"


@dataclass(frozen=True, slots=True)
class ListingSnapshot:
    """One unit of a product as it is sold at this moment (R10 keeps its price)."""

    product_id: ProductId
    product_name: str
    seller: MemberSummary
    price: Money


@dataclass(frozen=True, slots=True)
class AmountDue:
    """The amount that a trade's buyer has to pay, decided by us alone (P2)."""

    trade_id: TradeId
    buyer_id: MemberId
    title: str
    total: Money


def fee_due(fee: int, price: int, refunded: int) -> int:
    """The market's share of a trade of which a part was refunded, in minor units."""
    return fee * (price - refunded) // price


@dataclass(frozen=True, slots=True)
class Settlement:
    """Money a confirmed trade releases: all that is held, of which `fee` stays with the market."""

    trade_id: TradeId
    seller_id: MemberId
    held: Money
    fee: Money


@dataclass(frozen=True, slots=True)
class TradeSummary:
    """A trade as its own parties see it beside the product (R5); `price` in minor units."""

    id: TradeId
    buyer: MemberSummary
    seller: MemberSummary
    price: int
    currency: str
    status: str
    hold_expires_at: datetime
    created_at: datetime


# The name of its schema in the API's document, which clients' generated types carry.
TradeSummary.__name__ = TradeSummary.__qualname__ = "Deal"


@dataclass(frozen=True, slots=True)
class Refunded:
    """Money that went back to a buyer, in minor units: `amount` now, `total` with all before.

    `reason` is the asker's own, or a code of ours; None where it is not known.
    """

    amount: int
    total: int
    reason: str | None


@dataclass(frozen=True, slots=True)
class Refund:
    """A refund as both parties see it (D5): REQUESTED while it is under way, or SUCCEEDED."""

    amount: int
    reason: str
    requested_by: Party
    status: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class PaymentSummary:
    """The payment that paid a trade, else the latest attempt, as its parties see it beside it;
    `failure` is the gateway's reason for one that failed."""

    id: PaymentId
    method: str
    status: str
    total: Money
    cancelled_amount: int
    failure: str | None
    refunds: Sequence[Refund]

    def without_attempts(self, paid_by: PaymentId | None) -> "PaymentSummary":
        """For the seller: why a card was declined, and what became of money that never was the
        trade's, is the buyer's own affair."""
        return self if self.id == paid_by else replace(self, failure=None, refunds=[])
