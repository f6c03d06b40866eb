"""A trade and every step it may take.

    AWAITING_PAYMENT ──paid──▶ PAID ──approve──▶ SALE_APPROVED ──confirm──▶ PURCHASE_CONFIRMED
            └─────────────────────┴──── cancel ────────┘──────────▶ CANCELLED
                                  ▲─── a deposit came too late ───────┘

A trade that holds money is not cancelled at once: the cancellation is asked for, the money goes
back, and then the trade dies and its unit returns (P7). Meanwhile nothing else may happen to it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar, Self, TypeAlias

from market.shared.contracts import (
    CANCELLED_AT_GATEWAY,
    NOT_PAID_IN_TIME,
    AmountDue,
    ListingSnapshot,
    Settlement,
    TradeSummary,
    fee_due,
)
from market.shared.errors import AmountChanged, Conflict, Forbidden, InvalidTransition, NotFound
from market.shared.ids import MemberId, PaymentId, ProductId, TradeId
from market.shared.money import Money
from market.shared.principals import MemberSummary, Party


class AlreadyBought(Conflict):
    code: ClassVar[str] = "already_bought"
    message: ClassVar[str] = (
        "You already have a live trade of this product. One unit per buyer at a time."
    )


class NotYourPart(Forbidden):
    code: ClassVar[str] = "not_your_part"
    message: ClassVar[str] = "Only the other party can take this step."


class HoldExpired(Conflict):
    code: ClassVar[str] = "hold_expired"
    message: ClassVar[str] = "The time to pay has run out."


class Status(StrEnum):
    AWAITING_PAYMENT = "AWAITING_PAYMENT"
    PAID = "PAID"
    SALE_APPROVED = "SALE_APPROVED"
    PURCHASE_CONFIRMED = "PURCHASE_CONFIRMED"
    CANCELLED = "CANCELLED"


# The whole machine (Q2).
TRANSITIONS: Mapping[Status, frozenset[Status]] = {
    Status.AWAITING_PAYMENT: frozenset({Status.PAID, Status.CANCELLED}),
    Status.PAID: frozenset({Status.SALE_APPROVED, Status.CANCELLED}),
    Status.SALE_APPROVED: frozenset({Status.PURCHASE_CONFIRMED, Status.CANCELLED}),
    Status.PURCHASE_CONFIRMED: frozenset(),
    Status.CANCELLED: frozenset({Status.PAID}),  # only a hold that ran out, by `revive` (P6)
}
RUNNING = (Status.AWAITING_PAYMENT, Status.PAID, Status.SALE_APPROVED)

# Who may call a trade off, and until when (P8). An operator may also have money sent back after it
# was confirmed: the sale then stands, and what went back is a claim of ours.
MAY_CANCEL: Mapping[Party, frozenset[Status]] = {
    Party.BUYER: frozenset({Status.AWAITING_PAYMENT, Status.PAID}),
    Party.SELLER: frozenset(RUNNING),
    Party.OPERATOR: frozenset({*RUNNING, Status.PURCHASE_CONFIRMED}),
    Party.MARKET: frozenset(RUNNING),
}


Pair: TypeAlias = tuple[ProductId, MemberId]

LONGEST_REASON = 200


@dataclass(frozen=True, slots=True)
class Cancelling:
    """A cancellation: who asked for it, why, and when."""

    by: Party
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Order:
    """A member presses the buy button of a product (R4), whose price they saw: `expected_price`
    minor units. None takes whatever it costs."""

    product_id: ProductId
    buyer: MemberSummary
    expected_price: int | None = None

    @property
    def pair(self) -> Pair:
        """What only one live trade may have (R8)."""
        return self.product_id, self.buyer.id


class Holdings:
    """Which buyers have a live trade of which product, as long as those products are locked."""

    def __init__(self, pairs: Iterable[Pair]) -> None:
        self._pairs = set(pairs)

    def add(self, order: Order) -> None:
        """One unit each (R8). Raises AlreadyBought."""
        if order.pair in self._pairs:
            raise AlreadyBought(product_id=order.product_id)
        self._pairs.add(order.pair)


@dataclass(slots=True)
class Trade:
    """One unit on its way from a seller to a buyer, at the price of the moment it was bought.

    `refunded` minor units of the price went back while it goes on; while `refunding`, more is on
    its way, and nothing else may happen.
    """

    id: TradeId
    product_id: ProductId
    product_name: str
    seller: MemberSummary
    buyer: MemberSummary
    price: Money
    fee: Money
    status: Status
    hold_expires_at: datetime
    created_at: datetime
    version: int = 0
    payment_id: PaymentId | None = None
    paid_at: datetime | None = None
    approved_at: datetime | None = None
    confirmed_at: datetime | None = None
    cancelling: Cancelling | None = None
    cancelled_at: datetime | None = None
    refunded: int = 0
    refunding: bool = False

    @classmethod
    def start(
        cls,
        id: TradeId,
        offer: ListingSnapshot,
        buyer: MemberSummary,
        now: datetime,
        hold: timedelta,
        fee_bps: int,
    ) -> Self:
        """Buying (R4): keeps price, name and fee as they are now (R10).

        `fee_bps` is the market's share in basis points, rounded down to the minor unit: the
        fraction stays with the seller.
        """
        return cls(
            id=id,
            product_id=offer.product_id,
            product_name=offer.product_name,
            seller=offer.seller,
            buyer=buyer,
            price=offer.price,
            fee=offer.price.share(fee_bps),
            status=Status.AWAITING_PAYMENT,
            hold_expires_at=now + hold,
            created_at=now,
        )

    @property
    def deal(self) -> TradeSummary:
        return TradeSummary(
            self.id,
            self.buyer,
            self.seller,
            self.price.amount,
            self.price.currency,
            self.status,
            self.hold_expires_at,
            self.created_at,
        )

    @property
    def is_live(self) -> bool:
        """Not called off: its unit is taken."""
        return self.status is not Status.CANCELLED

    @property
    def held(self) -> Money:
        """The price less what went back of it: what the next step is about."""
        return Money(self.price.amount - self.refunded, self.price.currency)

    @property
    def fee_due(self) -> Money:
        """The market's share of what is held: it shrinks with the price, rounded down like the
        whole. What was called off owes none."""
        due = fee_due(self.fee.amount, self.price.amount, self.refunded) if self.is_live else 0
        return Money(due, self.price.currency)

    @property
    def holds_money(self) -> bool:
        return self.status in {Status.PAID, Status.SALE_APPROVED}

    @property
    def waits_for_seller(self) -> bool:
        """Paid, and to be approved."""
        return self.status is Status.PAID and not self.is_busy

    @property
    def is_cancelling(self) -> bool:
        """Called off, but its money is not back yet."""
        return self.cancelling is not None and self.status is not Status.CANCELLED

    @property
    def told_of_its_end(self) -> Sequence[MemberId]:
        """Its parties, but for the one who called it off."""
        asked = self.cancelling.by if self.cancelling else None
        return [member for party, member in self.sides.items() if party is not asked]

    @property
    def sides(self) -> Mapping[Party, MemberId]:
        return {Party.BUYER: self.buyer.id, Party.SELLER: self.seller.id}

    def party(self, member: MemberId, *, operator: bool = False) -> Party:
        """Which side a member is on; an operator who is on neither is on the market's.

        In their own trades operators are members like all others. Raises NotFound for everybody
        else: they learn nothing.
        """
        if member == self.buyer.id:
            return Party.BUYER
        if member == self.seller.id:
            return Party.SELLER
        if operator:
            return Party.OPERATOR
        raise NotFound

    def invoice(self, payer: MemberId, now: datetime) -> AmountDue:
        """What is to pay. Raises NotFound, NotYourPart, InvalidTransition, HoldExpired."""
        self._for_the(Party.BUYER, payer)
        if self.status is not Status.AWAITING_PAYMENT:
            raise InvalidTransition(trade_id=self.id, status=self.status)
        if self.is_over(now):
            raise HoldExpired(trade_id=self.id)
        return AmountDue(self.id, self.buyer.id, self.product_name, self.price)

    def is_over(self, now: datetime) -> bool:
        """Whether the time to pay has run out."""
        return self.status is Status.AWAITING_PAYMENT and self.hold_expires_at <= now

    def accept_payment(self, payment_id: PaymentId, at: datetime) -> bool:
        """Takes a payment's money; False when it can't, and the money must go back (P5).

        A hold past its deadline still takes it as long as the trade lives: the unit is there.
        """
        if self.payment_id == payment_id:
            return True
        if self.status is not Status.AWAITING_PAYMENT:
            return False
        self._move(Status.PAID)
        self.payment_id = payment_id
        self.paid_at = at
        return True

    def deposit_due(self, window: timedelta) -> datetime:
        """Until when a deposit may come: `window` from the purchase on, however often an account is
        asked for (P6)."""
        return max(self.hold_expires_at, self.created_at + window)

    def wait_for_deposit(self, window: timedelta) -> None:
        """A deposit takes longer than a card: holds the unit as long, from when there is an account
        for it (P6)."""
        if self.status is Status.AWAITING_PAYMENT:
            self.hold_expires_at = self.deposit_due(window)

    @property
    def ran_out(self) -> bool:
        """Dead only because nobody paid in time: it could live again."""
        by_us = self.cancelling is not None and self.cancelling.by is Party.MARKET
        return self.status is Status.CANCELLED and by_us and self.payment_id is None

    def revive(self, payment_id: PaymentId, at: datetime) -> None:
        """A deposit came too late, but a unit was left and is taken again (P6)."""
        if not self.ran_out:
            raise InvalidTransition(trade_id=self.id, status=self.status)
        self.cancelling = None
        self.cancelled_at = None
        self.status = self._allowed(Status.PAID)
        self.payment_id = payment_id
        self.paid_at = at

    def approve(self, by: MemberId, at: datetime, expected: int | None = None) -> None:
        """The seller approves (R7). A part that went back changed what they get: with `expected`,
        in minor units, they approve no other amount (D5).

        Raises NotFound, NotYourPart, InvalidTransition, AmountChanged.
        """
        self._for_the(Party.SELLER, by)
        self._move(Status.SALE_APPROVED, expected)
        self.approved_at = at

    def confirm(self, by: MemberId, at: datetime, expected: int | None = None) -> Settlement:
        """The buyer confirms, which releases the money (R7, P9): no other amount than `expected`
        minor units, if they say so (D5).

        Raises NotFound, NotYourPart, InvalidTransition, AmountChanged.
        """
        self._for_the(Party.BUYER, by)
        self._move(Status.PURCHASE_CONFIRMED, expected)
        self.confirmed_at = at
        return Settlement(self.id, self.seller.id, self.held, self.fee_due)

    def cancel(
        self, by: Party, reason: str, at: datetime, payment_id: PaymentId | None = None
    ) -> bool:
        """Calls it off (P8): dead at once (True), or not before its money is back (False).

        A confirmed one stands, whatever an operator sends back. Asking twice changes nothing. Who
        asks for the money of one payment calls off nothing that another has paid.
        Raises InvalidTransition.
        """
        if payment_id is not None and self.payment_id not in {None, payment_id}:
            raise InvalidTransition(trade_id=self.id, status=self.status)
        was_theirs = self.cancelling is not None and self.cancelling.by is by
        if self.is_cancelling or (self.status is Status.CANCELLED and was_theirs):
            return False
        if self.status not in MAY_CANCEL[by]:
            raise InvalidTransition(trade_id=self.id, status=self.status)
        if self.status is Status.PURCHASE_CONFIRMED:
            return False
        self.cancelling = Cancelling(by, reason, at)
        if self.holds_money:
            return False
        self._die(at)
        return True

    def refund_part(self, by: Party, payment_id: PaymentId) -> None:
        """Some of the payment's money is to go back, and the trade to go on; who may, is as for
        calling it off (P8). Raises InvalidTransition."""
        paid = self.payment_id == payment_id
        if self.status not in MAY_CANCEL[by] or not paid or self.is_busy:
            raise InvalidTransition(trade_id=self.id, status=self.status)
        self.refunding = self.holds_money

    def refund_settled(self, payment_id: PaymentId) -> None:
        """What was on its way of the payment is back: the trade goes on."""
        if payment_id == self.payment_id:
            self.refunding = False

    def partly_returned(self, payment_id: PaymentId, total: int) -> None:
        """`total` minor units of the payment are back, all told; whoever sent them."""
        if payment_id == self.payment_id:
            self.refunded = max(self.refunded, min(total, self.price.amount))

    @property
    def is_busy(self) -> bool:
        """Money of it is on its way back."""
        return self.is_cancelling or self.refunding

    def money_returned(self, payment_id: PaymentId, at: datetime) -> bool:
        """The whole payment went back, whoever sent it; True when that ends this trade."""
        if payment_id != self.payment_id or not self.holds_money:
            return False
        if self.cancelling is None:
            self.cancelling = Cancelling(Party.MARKET, CANCELLED_AT_GATEWAY, at)
        self._die(at)
        return True

    def refund_failed(self, payment_id: PaymentId) -> None:
        """The gateway refuses to send the payment back: the trade goes on where it was."""
        if payment_id != self.payment_id:
            return
        self.refunding = False
        if self.is_cancelling:
            self.cancelling = None

    def expire(self, now: datetime) -> bool:
        """Ends a hold that ran out unpaid (the deadline is the trade's, not the payment's)."""
        if not self.is_over(now):
            return False
        self.cancelling = Cancelling(Party.MARKET, NOT_PAID_IN_TIME, now)
        self._die(now)
        return True

    def _die(self, at: datetime) -> None:
        self.status = self._allowed(Status.CANCELLED)
        self.cancelled_at = at

    def _move(self, to: Status, expected: int | None = None) -> None:
        if self.is_busy:
            raise InvalidTransition(
                "Money is on its way back.", trade_id=self.id, status=self.status
            )
        status = self._allowed(to)
        if expected not in {None, self.held.amount}:  # safeguard: the amount a party saw compared
            raise AmountChanged(trade_id=self.id, amount=self.held.amount)
        self.status = status

    def _allowed(self, to: Status) -> Status:
        if to not in TRANSITIONS[self.status]:
            raise InvalidTransition(trade_id=self.id, status=self.status)
        return to

    def _for_the(self, party: Party, member: MemberId) -> None:
        if self.party(member) is not party:
            raise NotYourPart(trade_id=self.id)
