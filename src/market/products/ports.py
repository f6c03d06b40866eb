"""What products need of the outside."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from market.shared.ids import MemberId, ProductId
from market.shared.page import Page, Slice
from market.shared.purchase import Deal

from .domain import Product, Status


@dataclass(frozen=True, slots=True)
class Search:
    """Which products to list; None asks for all."""

    status: Status | None = None
    text: str | None = None
    seller_id: MemberId | None = None


class Products(Protocol):
    """Keeps products."""

    async def add(self, product: Product) -> None: ...

    async def get(self, id: ProductId) -> Product:
        """Without a lock. Raises NotFound."""
        ...

    async def get_for_update(self, id: ProductId) -> Product:
        """Locks the row exclusively (R12): who comes second sees what the first did.

        Raises NotFound.
        """
        ...

    async def lock_all(self, ids: Collection[ProductId]) -> Sequence[Product]:
        """Locks those of them that exist, in the order of their ids: of two who want several,
        neither ever waits for the other while holding what the other waits for (R12)."""
        ...

    async def save_stock(self, products: Sequence[Product]) -> None:
        """Writes how many units of each are taken and confirmed, and bumps their versions.

        Raises VersionConflict when one of them moved meanwhile.
        """
        ...

    async def save(self, product: Product) -> None:
        """Writes it and bumps its version. Raises VersionConflict when that moved meanwhile."""
        ...

    async def page(self, search: Search, wanted: Slice) -> Page[Product]: ...


class OwnTrades(Protocol):
    """What a product's page shows a member of their own trades (R5)."""

    async def deals(self, product_id: ProductId, member: MemberId) -> Sequence[Deal]:
        """The member's trades of it: a buyer's own, or for its seller each buyer's."""
        ...
