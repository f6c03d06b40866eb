"""What payments need of the outside."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, Protocol

from market.shared.contracts import AmountDue, Refunded
from market.shared.errors import Conflict, GatewayUnavailable
from market.shared.ids import CancellationId, MemberId, PaymentId, TradeId
from market.shared.money import Money
from market.shared.principals import Party
from market.shared.rate_limit import RateLimit

from .cancellation import Cancellation
from .demands import Demands
from .domain import Payment
from .history import Entry
from .incident import Incident
from .news import Standing
from .record import Snapshot, Till


class GatewayRefused(Conflict):
    code: ClassVar[str] = "gateway_refused"
    message: ClassVar[str] = "The payment gateway refused the request."


class OutcomeUnknown(GatewayUnavailable):
    code: ClassVar[str] = "outcome_unknown"
    message: ClassVar[str] = (
        "The payment gateway did not respond. The outcome is unknown until it is queried."
    )


@dataclass(frozen=True, slots=True)
class Checkout:
    """What a browser hands to PortOne's SDK to open the checkout window.

    `version` is V1 or V2; `params` go to `IMP.request_pay` (with `init` for `IMP.init`), or to
    `PortOne.requestPayment` (which needs no init: `init` is then the store's id once more).
    """

    version: str
    sdk_url: str
    init: str
    params: Mapping[str, Any]


class PaymentGateway(Protocol):
    """A payment platform; a page that opens its window has loaded the script at `sdk_url`, and who
    asks a buyer asks for what it `demands`. Never called inside a transaction.

    With `repeats_answers`, a cancel that is sent again as it was gets the answer of the one before,
    so that a refusal means all of them. Every call raises GatewayUnavailable when no answer came or
    none that makes sense.
    """

    version: str
    till: Till
    sdk_url: str
    demands: Demands
    repeats_answers: bool

    async def register(self, payment: Payment) -> None:
        """Tells it the amount before any checkout (P2). Safe to repeat. Raises GatewayRefused."""
        ...

    def checkout(self, payment: Payment) -> Checkout:
        """What the browser needs. Asks nobody."""
        ...

    async def look(self, payment: Payment) -> Sequence[Snapshot]:
        """Its own record of every attempt under the payment's order, the newest first (P3); empty
        when it has none. What makes no sense is among them, with its `trouble`."""
        ...

    async def approve(self, payment: Payment, token: str) -> None:
        """Charges what the buyer authenticated, on a channel with manual approval.

        Raises GatewayRefused, OutcomeUnknown.
        """
        ...

    async def issue_account(self, payment: Payment, due_at: datetime) -> None:
        """Opens a virtual account at the payment's bank, for its amount alone (P2, P6); `look`
        shows it. Raises GatewayRefused, OutcomeUnknown."""
        ...

    async def close_account(self, payment: Payment, reference: str) -> None:
        """The attempt `reference` of its order takes no deposit any more. Raises GatewayRefused
        when it is closed or paid already."""
        ...

    async def cancel(self, payment: Payment, cancellation: Cancellation) -> None:
        """Sends money back, if the balance is still what the cancellation believes (P7).

        Raises GatewayRefused; OutcomeUnknown when no answer came, for it may have happened.
        """
        ...

    def listed(self, since: datetime, until: datetime) -> AsyncIterator[Snapshot]:
        """Its own records that changed in [since, until), at most 90 days, in pages unseen here.

        A hint rather than a witness: lists leave out, repeat, and move while they are read. What
        makes no sense is among them, with its `trouble`.
        """
        ...


class Gateways:
    """Every gateway that payments were begun on, and `today`, the one that new ones begin on."""

    def __init__(self, today: PaymentGateway, *others: PaymentGateway) -> None:
        self.today = today
        self._by_version = {gateway.version: gateway for gateway in (*others, today)}

    @property
    def all(self) -> Sequence[PaymentGateway]:
        return list(self._by_version.values())

    def of(self, payment: Payment) -> PaymentGateway:
        """The one a payment began on, whatever is configured since. Raises GatewayUnavailable when
        there is none: a payment is never asked of a gateway that can't know it."""
        try:
            return self._by_version[payment.gateway]
        except KeyError as cause:
            raise GatewayUnavailable(
                f"Nothing here speaks to gateway {payment.gateway}.", payment_id=payment.id
            ) from cause


class Payments(Protocol):
    """Keeps payments, and what they went through."""

    async def add(self, payment: Payment, entry: Entry) -> bool:
        """False when its trade has an open payment already: one at a time, by constraint."""
        ...

    async def find_open(self, trade_id: TradeId) -> Payment | None: ...

    async def get(self, id: PaymentId) -> Payment:
        """Without a lock. Raises NotFound."""
        ...

    async def find(self, id: PaymentId) -> Payment | None: ...

    async def get_for_update(self, id: PaymentId) -> Payment:
        """Locks the row, after its product and trade. Raises NotFound."""
        ...

    async def of_order(self, order_id: PaymentId) -> Sequence[Payment]:
        """The payment that asks for money under an order, and then those found there besides."""
        ...

    async def standings(self, order_id: PaymentId) -> Sequence[Standing]:
        """The same as they stand, all of one moment, with what is known of each. Raises
        NotFound."""
        ...

    async def of_order_for_update(self, order_id: PaymentId) -> Sequence[Payment]:
        """The same, locked after their product and trade. Raises NotFound."""
        ...

    async def save(self, payment: Payment, entry: Entry | None = None) -> None:
        """The payment, and in the same statement what is new of it, if anything is told: a look
        that showed what the last one did, and moved nothing, adds nothing to the history.

        Raises VersionConflict when it was changed since it was read.
        """
        ...

    async def remember(self, id: PaymentId, entry: Entry) -> None:
        """Adds to its history. What can happen once alone is added once."""
        ...

    async def reschedule(self, payment: Payment, before: datetime | None) -> None:
        """When it is looked at next, which was `before`; unless that has changed meanwhile."""
        ...

    async def due(self, now: datetime, limit: int) -> Sequence[PaymentId]:
        """Payments to be looked at unasked."""
        ...

    async def due_for_check(self, now: datetime, limit: int) -> Sequence[PaymentId]:
        """Takes up payments of any age whose money is there, and was not looked at for a day, the
        longest first. Who took one up and failed, or died, leaves it for an hour."""
        ...

    async def overdue(self, before: datetime, limit: int) -> Sequence[PaymentId]:
        """Payments of trades that took their last step before then, and that operators were not
        told of."""
        ...

    async def checked(self, id: PaymentId, now: datetime) -> None:
        """It was looked at: not again before tomorrow."""
        ...

    def open_ids(self, at_once: int) -> AsyncIterator[Sequence[PaymentId]]:
        """Every payment that may still change by itself: unfinished, or with money at the gateway
        whose trade goes on, or that is on its way back; once, by id, `at_once` of them at a time.
        Not those that are begun meanwhile."""
        ...

    async def any_on(self, gateway: str) -> bool:
        """Whether any payment was ever begun on this gateway version."""
        ...

    async def moved(
        self,
        gateway: str,
        since: datetime,
        until: datetime,
        after: PaymentId | None,
        limit: int,
    ) -> Sequence[Payment]:
        """Payments on a gateway whose money came or went in [since, until), by id after `after`."""
        ...


class Cancellations(Protocol):
    """Keeps cancellations: at most one open per payment, by constraint."""

    async def add(self, cancellation: Cancellation) -> None:
        """Raises CancellationInProgress."""
        ...

    async def find_open_for_update(self, payment_id: PaymentId) -> Cancellation | None:
        """Locks it, after its payment."""
        ...

    async def get(self, id: CancellationId) -> Cancellation: ...

    async def get_for_update(self, id: CancellationId) -> Cancellation:
        """Locks it, after its payment."""
        ...

    async def is_owed(self, payment_id: PaymentId) -> bool:
        """Whether the market owed it back, and an operator gave that up."""
        ...

    async def find_untransferred_for_update(self, payment_id: PaymentId) -> Sequence[Cancellation]:
        """Locks those that were booked, and whose money has not reached its account, the last one
        last."""
        ...

    async def overdue(self, before: datetime, limit: int) -> Sequence[Cancellation]:
        """Those that were asked for, or booked, before then, have not ended, and that operators
        were not told of."""
        ...

    async def waits_for_account(self, payment_id: PaymentId) -> bool:
        """Whether one can't be sent before the buyer says where to, or where else."""
        ...

    async def find_waiting(self, trade_id: TradeId) -> PaymentId | None:
        """The payment of a trade, whichever, of which one can't be sent for want of an account."""
        ...

    async def is_open(self, payment_id: PaymentId) -> bool:
        """Whether one is under way."""
        ...

    async def find(self, id: CancellationId) -> Cancellation | None: ...

    async def count_parts(self, payment_id: PaymentId) -> tuple[int, int]:
        """How many parts of it went back or are on their way, and how many of those a member asked
        for. It stands as long as the payment is locked."""
        ...

    async def save(self, cancellation: Cancellation) -> None: ...

    async def due(self, now: datetime, limit: int) -> Sequence[CancellationId]: ...


class Purchases(Protocol):
    """The trades that payments are for. Where one is changed, within the caller's transaction."""

    async def invoice(self, id: TradeId, payer: MemberId) -> AmountDue:
        """What its buyer is to pay. Raises NotFound and refusals of the trade's."""
        ...

    async def party(self, id: TradeId, member: MemberId, *, operator: bool = False) -> Party:
        """On which side somebody acts. Raises NotFound for all but its parties and operators."""
        ...

    async def lock(self, id: TradeId) -> None:
        """Locks the product and the trade: both come before the payment in the lock order."""
        ...

    async def deposit_due(self, id: TradeId) -> datetime:
        """Until when a deposit for it may come."""
        ...

    async def wait_for_deposit(self, id: TradeId) -> None:
        """Holds the unit until then: an account for it is open."""
        ...

    async def revive(self, id: TradeId, payment_id: PaymentId, paid_at: datetime) -> bool:
        """Lets a trade that ran out live again, if a unit is left; False when not (P6)."""
        ...

    async def accept_payment(self, id: TradeId, payment_id: PaymentId, paid_at: datetime) -> bool:
        """False when the trade can't take the money."""
        ...

    async def cancel(
        self, id: TradeId, by: Party, reason: str, payment_id: PaymentId | None
    ) -> PaymentId | None:
        """Calls it off; the payment whose money must go back, if any, which is `payment_id` when
        that one's is asked for. Raises NotFound, InvalidTransition.
        """
        ...

    async def is_settled(self, id: TradeId, payment_id: PaymentId) -> bool:
        """Whether the trade was confirmed, and this payment's money is the seller's."""
        ...

    async def money_returned(
        self, id: TradeId, payment_id: PaymentId, refunded: Refunded, at: datetime
    ) -> None:
        """All of a payment went back: its trade is dead, the unit on sale again."""
        ...

    async def refund_part(self, id: TradeId, by: Party, payment_id: PaymentId) -> None:
        """Some of its money is to go back, and it goes on. Raises NotFound, InvalidTransition."""
        ...

    async def partly_returned(self, id: TradeId, payment_id: PaymentId, refunded: Refunded) -> None:
        """A part of a payment is back."""
        ...

    async def returned_after_sale(
        self, id: TradeId, payment_id: PaymentId, refunded: Refunded
    ) -> None:
        """Money of a confirmed trade is back: the sale stands, and its buyer is told."""
        ...

    async def account_needed(self, id: TradeId, source: str) -> None:
        """Its buyer must say where a deposit goes back to; they are asked once per `source`."""
        ...

    async def refund_settled(self, id: TradeId, payment_id: PaymentId) -> None:
        """What was to go back of a payment is back."""
        ...

    async def refund_failed(
        self,
        id: TradeId,
        payment_id: PaymentId,
        told: Collection[Party],
        amount: int,
        why: str,
        source: str,
    ) -> None:
        """A payment can't go back: the trade it paid goes on, and these parties are told why, once
        per `source`."""
        ...

    async def due(self, limit: int, skip: int = 0) -> Sequence[TradeId]:
        """Trades whose hold ran out unpaid, the longest overdue first, but for the first `skip`."""
        ...

    async def expire(self, id: TradeId) -> bool:
        """Ends such a hold; False when there is none to end."""
        ...


class Ledger(Protocol):
    """The ledger, as payments write to it (P9)."""

    async def record_capture(self, payment_id: PaymentId, amount: Money, at: datetime) -> None: ...

    async def record_refund(
        self, payment_id: PaymentId, amount: Money, total: int, at: datetime, *, settled: bool
    ) -> None: ...


class Incidents(Protocol):
    """What operators must know of (P4, P10)."""

    async def report(
        self,
        kind: str,
        payment: Payment | None,
        seen: Mapping[str, Any],
        subject: str | None = None,
    ) -> bool:
        """Once per kind and subject, which is the payment unless said; False for a repeat.

        `seen` is shown to operators: neither account numbers nor secrets belong in it.
        """
        ...

    async def resolve(self, kind: str, subject: str, how: str, now: datetime) -> None:
        """Closes an open one of this kind about this subject: what it told of has ended, and
        `how` says by what."""
        ...

    async def get_for_update(self, id: int) -> Incident:
        """Locks it. Raises NotFound."""
        ...

    async def list(self, after: int, limit: int, *, settled_too: bool) -> Sequence[Incident]:
        """Those with an id beyond `after`, by id."""
        ...

    async def save(self, incident: Incident) -> None: ...


class RateLimits(Protocol):
    """Counts turns, for all processes together."""

    async def take(self, turns: Sequence[tuple[RateLimit, str]]) -> None:
        """Takes a turn of each key in this order, until one has none left. Raises RateLimited."""
        ...


class Seal(Protocol):
    """Tells a gateway's own webhooks from anybody else's."""

    def verify(self, headers: Mapping[str, str], body: bytes, now: datetime) -> str:
        """The webhook's id. Raises Unauthenticated for what the gateway has not signed just now."""
        ...


class Sources(Protocol):
    """Tells by where a webhook comes from whether it may be the gateway's."""

    def admit(self, address: str | None) -> None:
        """Raises Unauthenticated."""
        ...


# The wake-up that a stored webhook sends to the workers.
WAKE = "hints"


@dataclass(frozen=True, slots=True)
class Hint:
    """Something outside says that a payment is worth a look (P3); `id` is its inbox number."""

    id: int
    payment_id: PaymentId | None


class Inbox(Protocol):
    """Webhooks, kept before they are answered and handled after."""

    async def add(
        self,
        gateway: str,
        payment_id: PaymentId | None,
        body: Mapping[str, str],
        after: timedelta = timedelta(),
    ) -> None:
        """Keeps one, and wakes a worker in the same transaction, unless it is to wait. A repeat
        that still waits to be handled adds nothing."""
        ...

    async def waiting(self, limit: int) -> Sequence[Hint]: ...

    async def handled(self, id: int) -> None:
        """Marks it, in the transaction of its effects."""
        ...
