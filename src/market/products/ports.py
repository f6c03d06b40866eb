"""Ports of the products module."""

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
# In composed form: a Korean syllable may be typed as three characters.
SEARCH_LENGTH_MAX = 100
SEARCH_INPUT_LENGTH_MAX = 4 * SEARCH_LENGTH_MAX


@dataclass(frozen=True, slots=True)
class Search:
    """Which products to list; None means all."""

    status: ProductStatus | None = None
    text: str | None = None
    seller_id: MemberId | None = None


def parse_search(q: str | None) -> str | None:
    """Normalizes a search; None if it is empty. Raises Invalid if it is too long."""
    text = clean(q or "").strip()
    if len(text) > SEARCH_LENGTH_MAX:
        raise Invalid(f"At most {SEARCH_LENGTH_MAX} characters can be looked for.")
    return text or None


class Products(Protocol):
    """Stores products."""

    async def add(self, product: Product) -> None: ...

    async def get(self, id: ProductId) -> Product:
        """Without a lock. Raises NotFound."""
        ...

    async def find_all(self, ids: Collection[ProductId]) -> Sequence[Product]:
        """Those that exist, without a lock."""
        ...

    async def get_for_update(self, id: ProductId) -> Product:
        """Locks the row exclusively (R12): the second caller sees what the first did. Raises
        NotFound."""
        ...

    async def lock_all(self, ids: Collection[ProductId]) -> Sequence[Product]:
        """Locks those that exist, in the order of their ids, so that two callers cannot deadlock
        (R12)."""
        ...

    async def save_stock(self, products: Sequence[Product]) -> None:
        """Stores how many units of each are taken and confirmed, and bumps their versions. Raises
        VersionConflict if one of them changed meanwhile."""
        ...

    async def save(self, product: Product) -> None:
        """Stores it and bumps its version. Raises VersionConflict if that changed meanwhile."""
        ...

    async def page(self, search: Search, wanted: PageRequest) -> Page[Product]: ...


@dataclass(frozen=True, slots=True)
class ProcessedImage:
    """A photo re-encoded as JPEGs, in full (`width` × `height`) and small."""

    width: int
    height: int
    full: bytes
    small: bytes


class ImageProcessor(Protocol):
    """Re-encodes photos that members upload."""

    async def process(self, raw: bytes) -> ProcessedImage:
        """Slow: never call it in a transaction. Raises PhotoRefused."""
        ...


class Photos(Protocol):
    """Stores photos. A product's photos change under the product's lock."""

    async def add(self, product_id: ProductId, photo: Photo, picture: ProcessedImage) -> None: ...

    async def remove(self, product_id: ProductId, ids: Sequence[PhotoId]) -> None: ...

    async def of(self, product_id: ProductId) -> Sequence[Photo]:
        """A product's photos, in order."""
        ...

    async def first_of(self, product_ids: Sequence[ProductId]) -> Mapping[ProductId, Photo]:
        """The cover photo of each; products without photos are left out."""
        ...

    async def read(self, id: PhotoId, *, small: bool) -> bytes:
        """A JPEG. Raises NotFound."""
        ...


class Drafts(Protocol):
    """Stores drafts with their photos; a draft never changes."""

    async def add(
        self, draft: Draft, member: MemberId, pictures: Sequence[ProcessedImage], now: datetime
    ) -> None: ...

    async def keep_newest(self, member: MemberId, count: int) -> None:
        """Deletes the member's older drafts."""
        ...

    async def find(self, member: MemberId, id: str, since: datetime) -> Draft | None:
        """The member's own draft, if it was created after `since`."""
        ...

    async def pictures(self, id: str, places: Sequence[int]) -> Sequence[ProcessedImage]:
        """Those at these places, in order."""
        ...

    async def small_photo(self, member: MemberId, id: str, place: int) -> bytes:
        """A JPEG of the member's own draft. Raises NotFound."""
        ...

    async def purge(self, until: datetime, limit: int) -> int:
        """Deletes at most `limit` drafts created until then; returns how many."""
        ...


class OwnTrades(Protocol):
    """A member's own trades of a product (R5)."""

    async def deals(
        self, product_id: ProductId, member: MemberId, wanted: PageRequest
    ) -> Page[TradeSummary]:
        """The member's trades of it: a buyer's own, or for its seller each buyer's; first those
        that wait for the seller."""
        ...
