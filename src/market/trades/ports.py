"""What trades need of the outside."""

from collections.abc import Collection, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from market.shared.banking import RefundAccount
from market.shared.contracts import ListingSnapshot, PaymentSummary, Settlement
from market.shared.ids import MemberId, ProductId, TradeId
from market.shared.notification import NotificationKind
from market.shared.pagination import Page, PageRequest
from market.shared.principals import Party

from .domain import Holdings, Order, Status, Trade


class Trades(Protocol):
    """Keeps trades."""

    async def add_all(self, trades: Sequence[Trade]) -> None:
        """Raises AlreadyBought when one of the buyers has a live trade of that product (R8), which
        under the products' locks `held` has ruled out."""
        ...

    async def get(self, id: TradeId) -> Trade:
        """Without a lock. Raises NotFound."""
        ...

    async def get_with_stock_version(self, id: TradeId) -> tuple[Trade, int]:
        """A trade and its product's version, both of one moment (R13). Raises NotFound."""
        ...

    async def get_for_update(self, id: TradeId) -> Trade:
        """Locks the row. Its product's row is locked before, where both are. Raises NotFound."""
        ...

    async def save(self, trade: Trade) -> None:
        """Raises VersionConflict when it was changed since it was read."""
        ...

    async def held(self, orders: Sequence[Order]) -> Holdings:
        """Which of these buyers have a live trade of that product already (R8). It stands as long
        as the products are locked."""
        ...

    async def due(self, now: datetime, limit: int, skip: int = 0) -> Sequence[TradeId]:
        """Unpaid trades whose hold has run out, the longest overdue first, but for the first
        `skip`."""
        ...

    async def of_product(
        self, product_id: ProductId, member: MemberId, wanted: PageRequest
    ) -> Page[Trade]:
        """A member's own trades of a product, on either side (R5): first those that wait for the
        seller, the cancelled ones last; of each kind the newest first."""
        ...

    async def page(
        self,
        member: MemberId,
        sides: Sequence[Party],
        statuses: Sequence[Status],
        wanted: PageRequest,
    ) -> Page[Trade]: ...


class LockedStock(Protocol):
    """Products that are locked."""

    def take(
        self, product_id: ProductId, buyer: MemberId, expected_price: int | None = None
    ) -> ListingSnapshot:
        """One unit, at no other price than the one that is expected, in minor units. Raises
        NotFound, and refusals of the product's."""
        ...


class Stock(Protocol):
    """Units of products; every call belongs into the caller's transaction."""

    def locked(
        self, product_ids: Collection[ProductId]
    ) -> AbstractAsyncContextManager[LockedStock]:
        """Locks these products, in one fixed order; what is taken is written as the block ends."""
        ...

    async def take(self, product_id: ProductId, buyer: MemberId) -> ListingSnapshot:
        """One unit, under the product's lock. Raises NotFound, and refusals of the product's."""
        ...

    async def lock(self, product_id: ProductId) -> None:
        """Locks the product, before its trades."""
        ...

    async def release(self, product_id: ProductId) -> None:
        """A unit comes back."""
        ...

    async def confirm(self, product_id: ProductId, version: int) -> None:
        """A unit is its buyer's for good. Raises VersionConflict unless the product is still
        what it was at that version."""
        ...


class Escrow(Protocol):
    """The money held until the buyer confirms (P9)."""

    async def settle_sale(self, settlement: Settlement, at: datetime) -> None:
        """Owes it to the seller, less the fee. Once per trade, by constraint."""
        ...


class Receipts(Protocol):
    """What was paid for a trade."""

    async def find(self, trade_id: TradeId) -> PaymentSummary | None:
        """The trade's latest payment."""
        ...


class Notifications(Protocol):
    """Tells members what became of a trade of theirs."""

    async def notify(
        self,
        trade_id: TradeId,
        kind: NotificationKind,
        to: Sequence[MemberId],
        source: str,
        amount: int | None = None,
        reason: str | None = None,
    ) -> None:
        """Once per member, kind and `source`; within the caller's transaction. `amount` is in minor
        units of the trade's currency."""
        ...


class CancelLimits(Protocol):
    """How often one member may call trades off."""

    async def cancel(self, member: MemberId) -> None:
        """Raises RateLimited."""
        ...


class Refunds(Protocol):
    """Calling a trade off, with the money it may hold."""

    async def cancel_purchase(
        self,
        id: TradeId,
        by: MemberId,
        reason: str,
        account: RefundAccount | None = None,
        *,
        operator: bool = False,
    ) -> bool:
        """Dead at once, or once the money is back: True while that is on its way. A deposit goes
        back to `account`.

        Raises NotFound, InvalidTransition, and Invalid when an account is needed."""
        ...
