"""What crosses from products to trades to payments when somebody buys."""

from dataclasses import dataclass
from datetime import datetime

from .ids import MemberId, PaymentId, ProductId, TradeId
from .money import Money
from .people import Person


@dataclass(frozen=True, slots=True)
class Offer:
    """One unit of a product as it is sold at this moment (R10 keeps its price)."""

    product_id: ProductId
    product_name: str
    seller: Person
    price: Money


@dataclass(frozen=True, slots=True)
class Invoice:
    """What a trade's buyer is to pay, decided by us alone (P2)."""

    trade_id: TradeId
    buyer_id: MemberId
    title: str
    total: Money


@dataclass(frozen=True, slots=True)
class Settlement:
    """Money a confirmed trade releases: all that is held, of which `fee` stays with the market."""

    trade_id: TradeId
    seller_id: MemberId
    held: Money
    fee: Money


@dataclass(frozen=True, slots=True)
class Deal:
    """A trade as its own parties see it beside the product (R5); `price` in minor units."""

    id: TradeId
    buyer: Person
    seller: Person
    price: int
    currency: str
    status: str
    hold_expires_at: datetime
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Receipt:
    """The payment that paid a trade, else the latest attempt, as its parties see it beside it."""

    id: PaymentId
    method: str
    status: str
    total: Money
    cancelled_amount: int
