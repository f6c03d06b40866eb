"""Listing and editing products, and the stock behind trades."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager

from market.shared.clock import Clock
from market.shared.contracts import ListingSnapshot
from market.shared.errors import NotFound
from market.shared.ids import Ids, MemberId, PhotoId, ProductId
from market.shared.money import Money
from market.shared.pagination import Page, PageRequest
from market.shared.principals import MemberSummary
from market.shared.transactions import Transactions

from .domain import Change, Photo, Product, free_places
from .ports import ImageProcessor, Photos, ProcessedImage, Products, Search


class ProductService:
    """Listing, editing and reading products (R1, R2)."""

    def __init__(
        self,
        transactions: Transactions,
        products: Products,
        photos: Photos,
        images: ImageProcessor,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._transactions = transactions
        self._products = products
        self._photos = photos
        self._images = images
        self._clock = clock
        self._ids = ids

    async def list_new(
        self,
        seller: MemberSummary,
        name: str,
        price: Money,
        quantity: int,
        description: str,
        pictures: Sequence[ProcessedImage] = (),
    ) -> Product:
        """Puts `quantity` units up for sale (R1), with photos that `process_image` returned.

        Raises TooManyPhotos.
        """
        async with self._transactions.transaction():
            product = Product.list_new(
                ProductId(self._ids.new()),
                seller,
                name,
                price,
                quantity,
                description,
                self._clock.now(),
            )
            await self._products.add(product)
            await self._add_photos(product.id, (), pictures)
        return product

    async def get(self, id: ProductId) -> Product:
        """Raises NotFound."""
        return await self._products.get(id)

    async def find_all(self, ids: Collection[ProductId]) -> Sequence[Product]:
        """Those that exist."""
        return await self._products.find_all(ids)

    async def page(self, search: Search, wanted: PageRequest) -> Page[Product]:
        return await self._products.page(search, wanted)

    async def change(
        self,
        id: ProductId,
        by: MemberId,
        change: Change,
        *,
        seen: Collection[int] | None = None,
        add: Sequence[ProcessedImage] = (),
        remove: Sequence[PhotoId] = (),
    ) -> Product:
        """Edits a product and its photos; with `seen`, only if it is at one of these revisions.

        Raises NotFound, NotYourProduct, Stale, QuantityBelowTaken, TooManyPhotos.
        """
        async with self._transactions.transaction():
            product = await self._products.get_for_update(id)
            product.change(by, change, seen)
            await self._products.save(product)
            if remove:
                await self._photos.remove(id, remove)
            if add:
                await self._add_photos(id, await self._photos.of(id), add)
            return product

    async def process_image(self, raw: bytes) -> ProcessedImage:
        """Processes a photo for `list_new` and `change`. Slow: never call it in a transaction.

        Raises PhotoRefused.
        """
        return await self._images.process(raw)

    async def photos_of(self, id: ProductId) -> Sequence[Photo]:
        """A product's photos, in order."""
        return await self._photos.of(id)

    async def covers(self, ids: Sequence[ProductId]) -> Mapping[ProductId, Photo]:
        """The cover photo of each product that has photos."""
        return await self._photos.first_of(ids)

    async def photo(self, id: PhotoId, *, small: bool) -> bytes:
        """A JPEG. Raises NotFound."""
        return await self._photos.read(id, small=small)

    async def _add_photos(
        self, id: ProductId, kept: Sequence[Photo], pictures: Sequence[ProcessedImage]
    ) -> None:
        places = free_places(kept, len(pictures))
        for place, picture in zip(places, pictures, strict=True):
            photo = Photo(PhotoId(self._ids.new()), place, picture.width, picture.height)
            await self._photos.add(id, photo, picture)


class LockedStock:
    """Products whose rows are locked: no one else can take their units (R12)."""

    def __init__(self, products: Sequence[Product]) -> None:
        self._products = {product.id: product for product in products}
        self._modified: dict[ProductId, Product] = {}

    def take(
        self, product_id: ProductId, buyer: MemberId, expected_price: int | None = None
    ) -> ListingSnapshot:
        """One unit. Raises NotFound, OwnProduct, SoldOut, PriceChanged."""
        product = self._products.get(product_id)
        if product is None:
            raise NotFound
        offer = product.take(buyer, expected_price)
        self._modified[product_id] = product
        return offer

    @property
    def modified(self) -> Sequence[Product]:
        """The products of which a unit was taken."""
        return list(self._modified.values())


class Inventory:
    """Stock, as trades take, release and confirm units (R8, R9).

    Call every method in the transaction of its trade.
    """

    def __init__(self, products: Products) -> None:
        self._products = products

    @asynccontextmanager
    async def locked(self, product_ids: Collection[ProductId]) -> AsyncIterator[LockedStock]:
        """Locks these products in the order of their ids (R12), and stores what was taken when the
        block ends."""
        stock = LockedStock(await self._products.lock_all(product_ids))
        yield stock
        await self._products.save_stock(stock.modified)

    async def take(self, product_id: ProductId, buyer: MemberId) -> ListingSnapshot:
        """One unit, under the row's exclusive lock (R12). Raises NotFound, OwnProduct, SoldOut."""
        async with self.locked([product_id]) as stock:
            return stock.take(product_id, buyer)

    async def lock(self, product_id: ProductId) -> None:
        """Locks the row, first in the lock order: before any trade of it."""
        await self._products.get_for_update(product_id)

    async def release(self, product_id: ProductId) -> None:
        """Puts a unit back on sale."""
        product = await self._products.get_for_update(product_id)
        product.release()
        await self._products.save(product)

    async def confirm(self, product_id: ProductId, version: int) -> None:
        """Counts a confirmed unit, optimistically (R13).

        Raises VersionConflict unless the product is still what it was at `version`.
        """
        product = await self._products.get(product_id)
        product.version = version  # safeguard: product version taken from the trade's snapshot
        product.confirm_unit()
        await self._products.save(product)
