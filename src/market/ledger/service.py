"""Records movements of money, each in the transaction of its cause."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from market.shared.contracts import Settlement
from market.shared.ids import PaymentId
from market.shared.money import KRW, Money
from market.shared.pagination import PageRequest

from .domain import (
    ESCROW,
    FEES,
    GATEWAY,
    RECEIVABLES,
    Balance,
    Statement,
    Transfer,
    TransferKind,
    seller_account,
)
from .ports import Transfers

PAGE_SIZE = 500


class Ledger:
    """Records captures, refunds and settlements, and reads statements (P9)."""

    def __init__(self, transfers: Transfers) -> None:
        self._transfers = transfers

    async def record_capture(self, payment_id: PaymentId, amount: Money, at: datetime) -> None:
        """A buyer's money has arrived at the gateway; it is held until the purchase is
        confirmed."""
        await self._transfers.add(
            Transfer(TransferKind.CAPTURED, payment_id, GATEWAY, ESCROW, amount, at)
        )

    async def record_refund(
        self, payment_id: PaymentId, amount: Money, total: int, at: datetime, *, settled: bool
    ) -> None:
        """Money was refunded; `total` is everything refunded of this payment so far, in minor
        units, this included.

        The total is part of the source: it only grows, so each refund is recorded once, whatever
        triggered it. After the seller is credited (`settled`), escrow no longer holds the money:
        the refund becomes a receivable, for people to collect.
        """
        source, debit = f"{payment_id}:{total}", RECEIVABLES if settled else ESCROW
        await self._transfers.add(
            Transfer(TransferKind.REFUNDED, source, debit, GATEWAY, amount, at)
        )

    async def settle_sale(self, settlement: Settlement, at: datetime) -> None:
        """A trade was confirmed: the fee is ours, the rest is owed to the seller."""
        seller = seller_account(settlement.seller_id)
        net = settlement.held - settlement.fee
        if net.amount:
            await self._transfers.add(
                Transfer(TransferKind.SETTLED, settlement.trade_id, ESCROW, seller, net, at)
            )
        if settlement.fee.amount:
            await self._transfers.add(
                Transfer(TransferKind.FEE, settlement.trade_id, ESCROW, FEES, settlement.fee, at)
            )

    async def statement(
        self,
        account: str,
        since: datetime | None = None,
        until: datetime | None = None,
        currency: str = KRW,
        wanted: PageRequest = PageRequest(PAGE_SIZE),  # noqa: B008 # it can't change
    ) -> Statement:
        """A page of an account's transfers in [since, until), by the time of their cause.

        An account without transfers has an empty page. Raises Invalid for a foreign cursor.
        """
        return await self._transfers.statement(account, currency, since, until, wanted)

    async def pages(
        self,
        account: str,
        since: datetime | None = None,
        until: datetime | None = None,
        currency: str = KRW,
    ) -> AsyncIterator[Statement]:
        """The whole statement, page after page; at least one."""
        cursor: str | None = None
        while True:
            wanted = PageRequest(PAGE_SIZE, cursor)
            page = await self.statement(account, since, until, currency, wanted)
            yield page
            cursor = page.next_cursor
            if cursor is None:
                return

    async def balances(self) -> Sequence[Balance]:
        """Of every account, by name."""
        return await self._transfers.balances()
