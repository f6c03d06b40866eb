"""What products need of the outside."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from market.shared.contracts import TradeSummary
from market.shared.errors import Invalid
from market.shared.ids import MemberId, PhotoId, ProductId
from market.shared.pagination import Page, PageRequest
from market.shared.text import clean

from .domain import Draft, Photo, Product, ProductStatus

PHOTO_BYTES_MAX = 8 * 1024 * 1024
# As it looks: a Korean letter may be typed as three characters.
SEARCH_LENGTH_MAX = 100
SEARCH_INPUT_LENGTH_MAX = 4 * SEARCH_LENGTH_MAX


@dataclass(frozen=True, slots=True)
class Search:
    """Which products to list; None asks for all."""

    status: ProductStatus | None = None
    text: str | None = None
    seller_id: MemberId | None = None


def parse_search(q: str | None) -> str | None:
    """What somebody looks for, None for nothing. Raises Invalid where it is too long."""
    text = clean(q or "").strip()
    if len(text) > SEARCH_LENGTH_MAX:
        raise Invalid(f"At most {SEARCH_LENGTH_MAX} characters can be looked for.")
    return text or None


class Products(Protocol):
    """Keeps products."""

    async def add(self, product: Product) -> None: ...

    async def get(self, id: ProductId) -> Product:
        """Without a lock. Raises NotFound."""
        ...

    async def find_all(self, ids: Collection[ProductId]) -> Sequence[Product]:
        """Those of them that exist, without a lock."""
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

    async def page(self, search: Search, wanted: PageRequest) -> Page[Product]: ...


@dataclass(frozen=True, slots=True)
class ProcessedImage:
    """A photo as it is kept: JPEGs of our own making, in full (`width` × `height`) and small."""

    width: int
    height: int
    full: bytes
    small: bytes


class ImageProcessor(Protocol):
    """Makes pictures of ours from whatever members send."""

    async def process(self, raw: bytes) -> ProcessedImage:
        """Takes a while: never within a transaction. Raises PhotoRefused."""
        ...


class Photos(Protocol):
    """Keeps photos. Those of a product are changed under its lock."""

    async def add(self, product_id: ProductId, photo: Photo, picture: ProcessedImage) -> None: ...

    async def remove(self, product_id: ProductId, ids: Sequence[PhotoId]) -> None: ...

    async def of(self, product_id: ProductId) -> Sequence[Photo]:
        """A product's, in order."""
        ...

    async def first_of(self, product_ids: Sequence[ProductId]) -> Mapping[ProductId, Photo]:
        """The photo that each is known by; those without one are left out."""
        ...

    async def read(self, id: PhotoId, *, small: bool) -> bytes:
        """A JPEG. Raises NotFound."""
        ...


class Drafts(Protocol):
    """Keeps drafts, each with its photos; none is ever changed."""

    async def add(
        self, draft: Draft, member: MemberId, pictures: Sequence[ProcessedImage], now: datetime
    ) -> None: ...

    async def keep_newest(self, member: MemberId, count: int) -> None:
        """Deletes all older ones of the member."""
        ...

    async def find(self, member: MemberId, id: str, since: datetime) -> Draft | None:
        """The member's own, if it was made after `since`."""
        ...

    async def pictures(self, id: str, places: Sequence[int]) -> Sequence[ProcessedImage]:
        """Those at these places, in order."""
        ...

    async def small_photo(self, member: MemberId, id: str, place: int) -> bytes:
        """A JPEG of the member's own draft. Raises NotFound."""
        ...

    async def purge(self, until: datetime, limit: int) -> int:
        """Deletes at most `limit` drafts that were made until then; how many."""
        ...


class OwnTrades(Protocol):
    """What a product's page shows a member of their own trades (R5)."""

    async def deals(
        self, product_id: ProductId, member: MemberId, wanted: PageRequest
    ) -> Page[TradeSummary]:
        """The member's trades of it: a buyer's own, or for its seller each buyer's; first those
        that wait for the seller."""
        ...
