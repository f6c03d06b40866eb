"""A product and its stock.

Of `quantity` units, `taken` are in a live trade, and `confirmed` of those are sold for good. The
status is never set: it follows from these three numbers (R9).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Self

from market.shared.contracts import ListingSnapshot
from market.shared.errors import Conflict, Forbidden, Invalid, PreconditionFailed
from market.shared.ids import MemberId, PhotoId, ProductId
from market.shared.money import Money
from market.shared.principals import MemberSummary
from market.shared.text import line, prose

NAME_LENGTH_MAX = 100
DESCRIPTION_LENGTH_MAX = 5_000
PRICE_MAX = 1_000_000_000
QUANTITY_MAX = 1_000_000
PHOTOS_MAX = 5


class SoldOut(Conflict):
    code: ClassVar[str] = "sold_out"
    message: ClassVar[str] = "This product is sold out."


class Reserved(SoldOut):
    message = "Every unit is reserved. A unit is on sale again if a reservation ends."


class PriceChanged(Conflict):
    code: ClassVar[str] = "price_changed"
    message: ClassVar[str] = "The price has changed since you saw it."


class OwnProduct(Forbidden):
    code: ClassVar[str] = "own_product"
    message: ClassVar[str] = "You cannot buy your own product."


class NotYourProduct(Forbidden):
    code: ClassVar[str] = "not_your_product"
    message: ClassVar[str] = "Only the seller can change this product."


class Stale(PreconditionFailed):
    code: ClassVar[str] = "stale"
    message: ClassVar[str] = "The product was edited since you read it. Read it again."


class QuantityBelowTaken(Conflict):
    code: ClassVar[str] = "quantity_below_taken"
    message: ClassVar[str] = "The quantity cannot be less than the units already in trades."


class PhotoRefused(Invalid):
    code: ClassVar[str] = "photo_refused"
    message: ClassVar[str] = (
        "The photo cannot be used. At most 8 MB and 110 megapixels (a PNG 24, a WebP 12)."
    )


class TooManyPhotos(Conflict):
    code: ClassVar[str] = "too_many_photos"
    message: ClassVar[str] = "A product has five photos at most."


class ProductStatus(StrEnum):
    """Exactly one of three (R3)."""

    ON_SALE = "ON_SALE"
    RESERVED = "RESERVED"
    COMPLETED = "COMPLETED"


# Its key in the published OpenAPI document, and so its name in generated clients.
ProductStatus.__name__ = ProductStatus.__qualname__ = "Status"


@dataclass(frozen=True, slots=True)
class Change:
    """A seller's edit; None leaves a field as it is. `price` is in minor units."""

    name: str | None = None
    price: int | None = None
    quantity: int | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo of a product, at one of `PHOTOS_MAX` places; the first is shown in lists."""

    id: PhotoId
    place: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Draft:
    """A form that could not be saved yet: its texts by field, and the places of its stored photos,
    counted from 1."""

    id: str
    fields: Mapping[str, str]
    places: Sequence[int]


def free_places(kept: Sequence[Photo], wanted: int) -> Sequence[int]:
    """The first free places for this many more photos. Raises TooManyPhotos."""
    taken = {photo.place for photo in kept}
    free = [place for place in range(1, PHOTOS_MAX + 1) if place not in taken]
    if wanted > len(free):
        raise TooManyPhotos
    return free[:wanted]


@dataclass(slots=True)
class Product:
    """A listing of one or more equal units.

    `version` counts every write; `revision` only the seller's edits, photos included: an edit is
    compared with what its seller saw, and a purchase changes none of that.
    """

    id: ProductId
    seller: MemberSummary
    name: str
    description: str
    price: Money
    quantity: int
    taken: int
    confirmed: int
    version: int
    created_at: datetime
    revision: int = 0

    @classmethod
    def list_new(
        cls,
        id: ProductId,
        seller: MemberSummary,
        name: str,
        price: Money,
        quantity: int,
        description: str,
        now: datetime,
    ) -> Self:
        return cls(id, seller, line(name), prose(description), price, quantity, 0, 0, 0, now)

    @property
    def remaining(self) -> int:
        return self.quantity - self.taken

    @property
    def status(self) -> ProductStatus:
        """R9: units left → ON_SALE; none left, some unconfirmed → RESERVED; else COMPLETED."""
        if self.remaining > 0:
            return ProductStatus.ON_SALE
        return ProductStatus.RESERVED if self.confirmed < self.quantity else ProductStatus.COMPLETED

    def take(self, buyer: MemberId, expected_price: int | None = None) -> ListingSnapshot:
        """Takes one unit for a new trade, at the current price; if the buyer names the price they
        saw, in minor units, only at that. Raises OwnProduct (R11), SoldOut (R12), PriceChanged."""
        if buyer == self.seller.id:
            raise OwnProduct(product_id=self.id)
        if self.remaining == 0:
            raise self._sold_out()
        # safeguard: the price a buyer saw compared
        if expected_price not in {None, self.price.amount}:
            raise PriceChanged(product_id=self.id, price=self.price.amount)
        self.taken += 1
        return ListingSnapshot(self.id, self.name, self.seller, self.price)

    def _sold_out(self) -> SoldOut:
        if self.status is ProductStatus.RESERVED:
            return Reserved(product_id=self.id)
        return SoldOut(product_id=self.id)

    def release(self) -> None:
        """Puts a cancelled trade's unit back on sale (R9)."""
        self.taken -= 1

    def confirm_unit(self) -> None:
        """Counts a unit whose buyer has confirmed (R7, R13)."""
        self.confirmed += 1

    def change(self, by: MemberId, change: Change, seen: Collection[int] | None = None) -> None:
        """Edits it; existing trades keep their price (R10). With `seen`, only if it is still at one
        of these revisions.

        Raises NotYourProduct, Stale, QuantityBelowTaken.
        """
        if by != self.seller.id:
            raise NotYourProduct(product_id=self.id)
        # safeguard: the revision a seller saw compared
        if seen is not None and self.revision not in seen:
            raise Stale(product_id=self.id)
        if change.quantity is not None:
            if change.quantity < self.taken:
                raise QuantityBelowTaken(product_id=self.id, taken=self.taken)
            self.quantity = change.quantity
        if change.name is not None:
            self.name = line(change.name)
        if change.price is not None:
            self.price = Money(change.price, self.price.currency)
        if change.description is not None:
            self.description = prose(change.description)
        self.revision += 1
