"""The use cases of a trade: buy, approve, confirm, cancel, expire, and who may see which."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from market.kit.concurrency.retry import while_version_conflicts
from market.shared.clock import Clock
from market.shared.contracts import AmountDue, PaymentSummary, Refunded, TradeSummary
from market.shared.errors import Conflict, MarketError
from market.shared.ids import Ids, MemberId, PaymentId, ProductId, TradeId
from market.shared.notification import NotificationKind
from market.shared.pagination import Page, PageRequest
from market.shared.principals import MemberSummary, Party
from market.shared.transactions import Transactions

from .domain import RUNNING, Holdings, Order, Status, Trade
from .ports import Escrow, LockedStock, Notifications, Receipts, Stock, Trades


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms every purchase is made on: time to pay by card, time to deposit, and the market's
    fee in basis points."""

    hold: timedelta
    deposit: timedelta
    fee_bps: int


class TradeService:
    """Trades between a product's seller and its buyers.

    Lock order, everywhere: product, trade, then what payments lock.
    """

    def __init__(
        self,
        transactions: Transactions,
        trades: Trades,
        stock: Stock,
        escrow: Escrow,
        receipts: Receipts,
        notifications: Notifications,
        clock: Clock,
        ids: Ids,
        terms: Terms,
    ) -> None:
        self._transactions = transactions
        self._trades = trades
        self._stock = stock
        self._escrow = escrow
        self._receipts = receipts
        self._notifications = notifications
        self._clock = clock
        self._ids = ids
        self._terms = terms

    async def buy(
        self, product_id: ProductId, buyer: MemberSummary, expected_price: int | None = None
    ) -> Trade:
        """Takes a unit and starts a trade (R4, R8, R12), at no other price than the expected one.

        Raises NotFound, OwnProduct, SoldOut, AlreadyBought, PriceChanged.
        """
        [answer] = await self.buy_all([Order(product_id, buyer, expected_price)])
        if isinstance(answer, MarketError):
            raise answer
        return answer

    async def buy_all(self, orders: Sequence[Order]) -> Sequence[Trade | MarketError]:
        """Serves those who press at the same moment in one transaction, in the order they came.

        The products are locked once for all of them, in one fixed order; each order is judged by
        itself, and its refusal is its own.
        """
        wanted = {order.product_id for order in orders}
        async with self._transactions.transaction(), self._stock.locked(wanted) as stock:
            held = await self._trades.held(orders)
            answers = [self._judge(order, stock, held) for order in orders]
            await self._trades.add_all([a for a in answers if isinstance(a, Trade)])
        return answers

    def _judge(self, order: Order, stock: LockedStock, held: Holdings) -> Trade | MarketError:
        try:
            # First what says more: sold out, perhaps, but because this very buyer has it.
            held.add(order)
            offer = stock.take(order.product_id, order.buyer.id, order.expected_price)
        except MarketError as refusal:
            return refusal
        return Trade.start(
            TradeId(self._ids.new()),
            offer,
            order.buyer,
            self._clock.now(),
            self._terms.hold,
            self._terms.fee_bps,
        )

    async def approve(self, id: TradeId, by: MemberId, expected: int | None = None) -> Trade:
        """The seller approves (R7), of `expected` minor units if they say so.

        Raises NotFound, NotYourPart, InvalidTransition, AmountChanged.
        """
        async with self._transactions.transaction():
            # safeguard: trade locked while it is approved
            trade = await self._trades.get_for_update(id)
            trade.approve(by, self._clock.now(), expected)
            await self._trades.save(trade)
            await self._notifications.notify(
                id, NotificationKind.APPROVED, [trade.buyer.id], "approved"
            )
            return trade

    async def confirm(self, id: TradeId, by: MemberId, expected: int | None = None) -> Trade:
        """The buyer confirms, of `expected` minor units if they say so; the last confirmation of a
        product completes it (R7, R9, R13).

        Nothing is locked while it is judged: the product's version, read together with the trade,
        compared and bumped by every confirmation, tells whether another came between, and then
        this one is judged again.
        Raises NotFound, NotYourPart, InvalidTransition, AmountChanged; VersionConflict after many
        rounds.
        """
        async for attempt in while_version_conflicts():
            with attempt:
                async with self._transactions.transaction(retryable=True):
                    trade, version = await self._trades.get_with_stock_version(id)
                    settlement = trade.confirm(by, self._clock.now(), expected)
                    await self._stock.confirm(trade.product_id, version)
                    await self._trades.save(trade)
                    await self._escrow.settle_sale(settlement, self._clock.now())
                    await self._notifications.notify(
                        id, NotificationKind.CONFIRMED, [trade.seller.id], "confirmed"
                    )
        return trade

    async def see(
        self, id: TradeId, viewer: MemberId, *, operator: bool = False
    ) -> tuple[Trade, PaymentSummary | None]:
        """A trade and what was paid for it. Raises NotFound for all but its parties (R5) and
        operators."""
        trade = await self._trades.get(id)
        party = trade.party(viewer, operator=operator)
        receipt = await self._receipts.find(id)
        if receipt is not None and party is Party.SELLER:
            receipt = receipt.without_attempts(trade.payment_id)
        return trade, receipt

    def is_over(self, trade: Trade) -> bool:
        """Whether its time to pay has run out, though no worker may have ended it yet."""
        return trade.is_over(self._clock.now())

    def may_be_paid(self, trade: Trade) -> bool:
        return trade.status is Status.AWAITING_PAYMENT and not self.is_over(trade)

    async def deals(
        self, product_id: ProductId, member: MemberId, wanted: PageRequest
    ) -> Page[TradeSummary]:
        """R5: a buyer's own trades of a product, or for its seller each buyer's: first those that
        wait for the seller, the cancelled ones last; of each kind the newest first."""
        page = await self._trades.of_product(product_id, member, wanted)
        return Page([trade.deal for trade in page.items], page.next_cursor)

    async def purchases(
        self,
        member: MemberId,
        status: Status | None,
        wanted: PageRequest,
        *,
        cancelled_too: bool = False,
    ) -> Page[Trade]:
        """What a member bought [구매한 용품] (R6); of one status, or all that were not cancelled,
        unless those are wanted as well."""
        chosen = _chosen(status, cancelled_too)
        return await self._trades.page(member, [Party.BUYER], chosen, wanted)

    async def sales(
        self,
        member: MemberId,
        status: Status | None,
        wanted: PageRequest,
        *,
        cancelled_too: bool = False,
    ) -> Page[Trade]:
        """What a member sold, chosen in the same way."""
        chosen = _chosen(status, cancelled_too)
        return await self._trades.page(member, [Party.SELLER], chosen, wanted)

    async def reservations(
        self, member: MemberId, side: Party | None, wanted: PageRequest
    ) -> Page[Trade]:
        """What is reserved [예약중인 용품], on one side or both (R6)."""
        sides = [side] if side else [Party.BUYER, Party.SELLER]
        return await self._trades.page(member, sides, RUNNING, wanted)

    # ── what payments ask of a purchase: each within their transaction ──

    async def invoice(self, id: TradeId, payer: MemberId) -> AmountDue:
        """What its buyer is to pay (P2).

        Raises NotFound, NotYourPart, InvalidTransition, HoldExpired.
        """
        trade = await self._trades.get(id)
        return trade.invoice(payer, self._clock.now())

    async def party(self, id: TradeId, member: MemberId, *, operator: bool = False) -> Party:
        """On which side somebody acts. Raises NotFound for all but its parties and operators."""
        return (await self._trades.get(id)).party(member, operator=operator)

    async def due(self, limit: int, skip: int = 0) -> Sequence[TradeId]:
        """Holds that have run out unpaid, the longest overdue first, but for the first `skip`."""
        return await self._trades.due(self._clock.now(), limit, skip)

    async def accept_payment(self, id: TradeId, payment_id: PaymentId, paid_at: datetime) -> bool:
        """Hands a payment's money to its trade; False when the trade can't take it."""
        trade = await self._lock(id)
        accepted = trade.accept_payment(payment_id, paid_at)
        await self._trades.save(trade)
        if accepted:
            await self._tell_both(trade, NotificationKind.PAID, payment_id)
        return accepted

    async def lock(self, id: TradeId) -> None:
        """Locks the product and the trade, in this order, until the transaction ends."""
        await self._lock(id)

    async def deposit_due(self, id: TradeId) -> datetime:
        """Until when a deposit may come; the unit is not held for it yet."""
        return (await self._trades.get(id)).deposit_due(self._terms.deposit)

    async def wait_for_deposit(self, id: TradeId) -> None:
        """Holds the unit for a deposit, now that there is an account for it."""
        trade = await self._lock(id)
        trade.wait_for_deposit(self._terms.deposit)
        await self._trades.save(trade)

    async def revive(self, id: TradeId, payment_id: PaymentId, paid_at: datetime) -> bool:
        """A deposit came too late: the trade lives again if a unit is left for it (P6)."""
        trade = await self._lock(id)
        if not trade.ran_out:
            return False
        order = Order(trade.product_id, trade.buyer)
        try:
            (await self._trades.held([order])).add(order)
            await self._stock.take(trade.product_id, trade.buyer.id)
        except Conflict:
            return False
        trade.revive(payment_id, paid_at)
        await self._trades.save(trade)
        await self._tell_both(trade, NotificationKind.PAID, payment_id)
        return True

    async def cancel(
        self, id: TradeId, by: Party, reason: str, payment_id: PaymentId | None
    ) -> PaymentId | None:
        """Calls it off; the payment whose money must go back, if any (P7, P8), which is
        `payment_id` when that one's is asked for. Raises NotFound, InvalidTransition.
        """
        trade = await self._lock(id)
        if trade.cancel(by, reason, self._clock.now(), payment_id):
            await self._bury(trade)
        else:
            await self._trades.save(trade)
        return None if trade.status is Status.CANCELLED else trade.payment_id

    async def is_settled(self, id: TradeId, payment_id: PaymentId) -> bool:
        """Whether it was confirmed, and this payment's money is the seller's (P9)."""
        trade = await self._trades.get(id)
        return trade.status is Status.PURCHASE_CONFIRMED and trade.payment_id == payment_id

    async def money_returned(
        self, id: TradeId, payment_id: PaymentId, refunded: Refunded, at: datetime
    ) -> None:
        """The whole of a payment went back: ends the trade it had paid."""
        trade = await self._lock(id)
        if trade.money_returned(payment_id, at):
            await self._bury(trade)
        await self._tell_refund(trade, [trade.buyer.id], payment_id, refunded)

    async def refund_part(self, id: TradeId, by: Party, payment_id: PaymentId) -> None:
        """Some of its money is to go back (P7, P8). Raises NotFound, InvalidTransition."""
        trade = await self._lock(id)
        trade.refund_part(by, payment_id)
        await self._trades.save(trade)

    async def partly_returned(self, id: TradeId, payment_id: PaymentId, refunded: Refunded) -> None:
        """A part of a payment is back; whether of the one that paid the trade or of another, which
        is no matter of its seller's."""
        trade = await self._lock(id)
        trade.partly_returned(payment_id, refunded.total)
        await self._trades.save(trade)
        mine = trade.payment_id == payment_id
        to = [trade.buyer.id, trade.seller.id] if mine else [trade.buyer.id]
        await self._tell_refund(trade, to, f"{payment_id}:{refunded.total}", refunded)

    async def returned_after_sale(
        self, id: TradeId, payment_id: PaymentId, refunded: Refunded
    ) -> None:
        """Money of a confirmed trade is back: the sale stands, and its buyer is told."""
        trade = await self._trades.get(id)
        source = f"{payment_id}:{refunded.total}"
        await self._tell_refund(trade, [trade.buyer.id], source, refunded)

    async def account_needed(self, id: TradeId, source: str) -> None:
        """A deposit can't go back before its buyer says where to: asks once per source (P6)."""
        trade = await self._trades.get(id)
        await self._notifications.notify(
            id, NotificationKind.ACCOUNT_NEEDED, [trade.buyer.id], source
        )

    async def refund_settled(self, id: TradeId, payment_id: PaymentId) -> None:
        """What was to go back of a payment is back."""
        trade = await self._lock(id)
        trade.refund_settled(payment_id)
        await self._trades.save(trade)

    async def refund_failed(
        self,
        id: TradeId,
        payment_id: PaymentId,
        told: Collection[Party],
        amount: int,
        why: str,
        source: str,
    ) -> None:
        """A payment can't go back: the trade it paid goes on where it was, and these parties are
        told why. Operators have their incident."""
        trade = await self._lock(id)
        trade.refund_failed(payment_id)
        await self._trades.save(trade)
        to = [member for party, member in trade.sides.items() if party in told]
        await self._notifications.notify(
            id, NotificationKind.REFUND_REFUSED, to, source, amount, why
        )

    async def expire(self, id: TradeId) -> bool:
        """Ends a hold that ran out, and gives its unit back; False when there was none to end."""
        trade = await self._lock(id)
        if not trade.expire(self._clock.now()):
            return False
        await self._bury(trade)
        return True

    async def _lock(self, id: TradeId) -> Trade:
        """Locks a trade after its product, for the unit may have to go back."""
        # safeguard: product locked before its trade
        await self._stock.lock((await self._trades.get(id)).product_id)
        return await self._trades.get_for_update(id)

    async def _bury(self, trade: Trade) -> None:
        """A dead trade's unit goes back on sale (R9), in the same transaction."""
        await self._stock.release(trade.product_id)
        await self._trades.save(trade)
        source = trade.payment_id or "unpaid"
        reason = trade.cancelling.reason if trade.cancelling else None
        to = trade.told_of_its_end
        await self._notifications.notify(
            trade.id, NotificationKind.CANCELLED, to, source, reason=reason
        )

    async def _tell_refund(
        self, trade: Trade, to: Sequence[MemberId], source: str, refunded: Refunded
    ) -> None:
        amount, reason = refunded.amount, refunded.reason
        await self._notifications.notify(
            trade.id, NotificationKind.REFUNDED, to, source, amount, reason
        )

    async def _tell_both(self, trade: Trade, kind: NotificationKind, source: str) -> None:
        await self._notifications.notify(trade.id, kind, [trade.buyer.id, trade.seller.id], source)


def _chosen(status: Status | None, cancelled_too: bool) -> Sequence[Status]:
    if status is not None:
        return [status]
    return [s for s in Status if cancelled_too or s is not Status.CANCELLED]
