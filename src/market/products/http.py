"""Routes of products."""

from collections.abc import Awaitable, Sequence
from datetime import datetime
from typing import Annotated, Any, Self, TypeVar

import msgspec
from litestar import Controller, Response, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter, SkipValidation
from msgspec import UNSET, Meta, Struct, UnsetType

from market.kit.concurrency.batching import Batcher, SingleFlight
from market.kit.http.idempotency import EncodedResponse
from market.kit.http.problems import problem_responses
from market.kit.http.request import (
    BEARER,
    PAGE_SIZE_DEFAULT,
    SINGLE_LINE,
    AppRequest,
    CursorParam,
    Idempotent,
    IfMatchParam,
    KeyParam,
    LimitParam,
    PageOut,
    SignedIn,
    etag,
    page_request,
    page_response,
    path_id,
    revisions,
    to_response,
)
from market.shared.contracts import TradeSummary
from market.shared.errors import MarketError, NotFound
from market.shared.ids import MemberId, ProductId, well_formed
from market.shared.money import Money
from market.shared.pagination import Page, PageRequest
from market.shared.principals import MemberSummary, Principal

from .domain import (
    DESCRIPTION_LENGTH_MAX,
    NAME_LENGTH_MAX,
    PRICE_MAX,
    QUANTITY_MAX,
    Change,
    Product,
    ProductStatus,
)
from .ports import SEARCH_INPUT_LENGTH_MAX, OwnTrades, Search, parse_search
from .service import ProductService

Service = NamedDependency[ProductService]

T = TypeVar("T")
# The composition root passes in the trades' service; the type checker proves that it fits.
Trades = NamedDependency[SkipValidation[OwnTrades]]

Name = Annotated[str, Meta(pattern=SINGLE_LINE, min_length=1, max_length=NAME_LENGTH_MAX)]
Price = Annotated[int, Meta(ge=1, le=PRICE_MAX, description="minor units; for KRW, won")]
Quantity = Annotated[int, Meta(ge=1, le=QUANTITY_MAX)]

Description = Annotated[str, Meta(max_length=DESCRIPTION_LENGTH_MAX)]


class NewProduct(Struct):
    name: Name
    price: Price
    quantity: Quantity
    description: Description = ""


class ProductChange(Struct):
    """Fields to change; omitted fields stay."""

    name: Name | UnsetType = UNSET
    price: Price | UnsetType = UNSET
    quantity: Quantity | UnsetType = UNSET
    description: Description | UnsetType = UNSET

    @property
    def change(self) -> Change:
        return Change(
            name=_or_none(self.name),
            price=_or_none(self.price),
            quantity=_or_none(self.quantity),
            description=_or_none(self.description),
        )


class ProductOut(Struct):
    """A product (R2); `price` in minor units, `remaining` units can still be bought."""

    id: str
    name: str
    price: int
    currency: str
    status: ProductStatus
    quantity: int
    remaining: int
    seller: MemberSummary
    created_at: datetime

    @classmethod
    def of(cls, product: Product, **more: Any) -> Self:
        return cls(
            id=product.id,
            name=product.name,
            price=product.price.amount,
            currency=product.price.currency,
            status=product.status,
            quantity=product.quantity,
            remaining=product.remaining,
            seller=product.seller,
            created_at=product.created_at,
            **more,
        )


class ProductDetail(ProductOut, kw_only=True):
    """With its description, and the viewer's own trades of it (R5; empty for strangers), first
    those that wait for the seller; more of them are at `…/trades?cursor={trades_next_cursor}`."""

    description: str
    trades: list[TradeSummary]
    trades_next_cursor: str | None = None


# So many of the viewer's own trades come with a product.
TRADES_SHOWN = 200


_NONE: Page[TradeSummary] = Page([], None)


class CatalogueReader:
    """Public reads of the catalogue (R1): concurrent requests for the same page share one query and
    its encoded response."""

    def __init__(self, products: ProductService, own_trades: OwnTrades) -> None:
        self._products = products
        self._own_trades = own_trades
        self._pages = SingleFlight[tuple[Search, PageRequest], EncodedResponse](
            "pages", self._read_page
        )
        self._details = Batcher[ProductId, EncodedResponse](
            "details", self._read_details, batch_size=100
        )

    def page(self, search: Search, wanted: PageRequest) -> Awaitable[EncodedResponse]:
        return self._pages.submit((search, wanted))

    def detail(self, id: ProductId) -> Awaitable[EncodedResponse]:
        """As visitors see it. Raises NotFound."""
        return self._details.submit(id)

    async def detail_for(self, viewer: Principal, id: ProductId) -> EncodedResponse:
        """With the viewer's own trades. Raises NotFound."""
        return await _detail(await self._products.get(id), viewer, self._own_trades)

    async def _read_page(self, asked: tuple[Search, PageRequest]) -> EncodedResponse:
        return _ok(page_response(await self._products.page(*asked), ProductOut.of))

    async def _read_details(
        self, ids: Sequence[ProductId]
    ) -> Sequence[EncodedResponse | MarketError]:
        found = await self._products.find_all(set(ids))
        details = {product.id: _shown(product, _NONE) for product in found}
        return [details.get(id) or NotFound() for id in ids]


class ProductController(Controller):
    """The list, the detail page, selling and editing (R1, R2)."""

    path = "/api/products"
    tags = ["products"]

    @get("/", responses=problem_responses(400, 401))
    async def page(
        self,
        catalogue: NamedDependency[CatalogueReader],
        status: FromQuery[ProductStatus | None] = None,
        q: Annotated[
            str | None,
            QueryParameter(
                max_length=SEARCH_INPUT_LENGTH_MAX,
                description="words of name or description, in any order",
            ),
        ] = None,
        seller_id: FromQuery[str | None] = None,
        limit: LimitParam = PAGE_SIZE_DEFAULT,
        cursor: CursorParam = None,
    ) -> Response[PageOut[ProductOut]]:
        """Products, newest first."""
        if seller_id is not None and not well_formed(seller_id):
            return Response(PageOut([], None))
        search = Search(status, parse_search(q), MemberId(seller_id) if seller_id else None)
        return to_response(await catalogue.page(search, page_request(limit, cursor)))

    @post(
        "/",
        security=BEARER,
        responses=problem_responses(401, 409, 422, body=True),
    )
    async def list_new(
        self,
        data: JSONBody[NewProduct],
        caller: SignedIn,
        products: Service,
        idempotent: Idempotent,
        key: KeyParam = None,
    ) -> Response[ProductDetail]:
        """Puts a product up for sale."""

        async def work() -> ProductDetail:
            product = await products.list_new(
                caller.person, data.name, Money(data.price), data.quantity, data.description
            )
            return ProductDetail.of(product, description=product.description, trades=[])

        return await idempotent(work, status=201)

    @get("/{product_id:str}", responses=problem_responses(401, 404))
    async def show(
        self,
        product_id: FromPath[str],
        request: AppRequest,
        catalogue: NamedDependency[CatalogueReader],
    ) -> Response[ProductDetail]:
        """One product, with the viewer's own trades of it."""
        id, viewer = ProductId(path_id(product_id)), request.user
        return to_response(
            await (catalogue.detail_for(viewer, id) if viewer else catalogue.detail(id))
        )

    @patch(
        "/{product_id:str}",
        security=BEARER,
        responses=problem_responses(401, 403, 404, 409, 412, body=True),
    )
    async def change(
        self,
        product_id: FromPath[str],
        data: JSONBody[ProductChange],
        caller: SignedIn,
        products: Service,
        own_trades: Trades,
        if_match: IfMatchParam = None,
    ) -> Response[ProductDetail]:
        """Edits a product; trades already made keep their price. With `If-Match`, only what was
        read: 412 `stale` when it was edited since. Purchases are no edits."""
        id, seen = ProductId(path_id(product_id)), revisions(if_match)
        product = await products.change(id, caller.id, data.change, seen=seen)
        return to_response(await _detail(product, caller, own_trades))


def _ok(shown: Struct) -> EncodedResponse:
    return EncodedResponse(200, msgspec.json.encode(shown))


async def _detail(product: Product, viewer: Principal, own_trades: OwnTrades) -> EncodedResponse:
    return _shown(product, await own_trades.deals(product.id, viewer.id, PageRequest(TRADES_SHOWN)))


def _shown(product: Product, deals: Page[TradeSummary]) -> EncodedResponse:
    shown = ProductDetail.of(
        product,
        description=product.description,
        trades=list(deals.items),
        trades_next_cursor=deals.next_cursor,
    )
    return EncodedResponse(200, msgspec.json.encode(shown), etag=etag(product.revision))


def _or_none(given: T | UnsetType) -> T | None:
    return None if isinstance(given, UnsetType) else given


ROUTES = (ProductController,)
