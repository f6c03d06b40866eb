"""A member's own lists: bought, reserved, sold (R6), at the prices of the moment (R10)."""

from typing import Any

from litestar import Controller, Request, Response, get
from litestar.datastructures import State
from litestar.di import NamedDependency

from market.kit.http.request import page_request
from market.products.ports import Search
from market.products.service import ProductService
from market.shared.pagination import Page
from market.shared.principals import Party
from market.trades.domain import Status, Trade
from market.trades.service import TradeService

from .page import render
from .visitor import Here, Shop, Visitor

ON_A_PAGE = 20

Trades = NamedDependency[TradeService]
Products = NamedDependency[ProductService]
House = NamedDependency[Shop]
Asked = Request[Any, Any, State]

SIDES = {"buyer": Party.BUYER, "seller": Party.SELLER}


class MineController(Controller):
    """My pages."""

    path = "/me"

    @get("/purchases")
    async def purchases(
        self, request: Asked, visitor: Here, shop: House, trades: Trades, products: Products
    ) -> Response[Any]:
        """구매한 용품."""
        status, wanted = _status(request), _page_request(request)
        page = await trades.purchases(visitor.me.id, status, wanted, cancelled_too=True)
        return await _list(request, shop, visitor, products, page, "purchases")

    @get("/reservations")
    async def reservations(
        self, request: Asked, visitor: Here, shop: House, trades: Trades, products: Products
    ) -> Response[Any]:
        """예약중인 용품, on either side."""
        side = SIDES.get(request.query_params.get("role", ""))
        page = await trades.reservations(visitor.me.id, side, _page_request(request))
        return await _list(request, shop, visitor, products, page, "reservations")

    @get("/sales")
    async def sales(
        self, request: Asked, visitor: Here, shop: House, trades: Trades, products: Products
    ) -> Response[Any]:
        """What I sold, each with the step that is mine to take."""
        status, wanted = _status(request), _page_request(request)
        page = await trades.sales(visitor.me.id, status, wanted, cancelled_too=True)
        return await _list(request, shop, visitor, products, page, "sales")

    @get("/products")
    async def goods(
        self, request: Asked, visitor: Here, shop: House, products: Products
    ) -> Response[Any]:
        """What I have up for sale."""
        found = await products.page(Search(seller_id=visitor.me.id), _page_request(request))
        more = request.headers.get("hx-request") == "true"
        return render(
            shop,
            "_cards.html" if more else "goods.html",
            visitor,
            page=found,
            covers=await products.covers([product.id for product in found.items]),
        )


async def _list(
    request: Asked,
    shop: Shop,
    visitor: Visitor,
    products: ProductService,
    page: Page[Trade],
    tab: str,
) -> Response[Any]:
    more = request.headers.get("hx-request") == "true"
    return render(
        shop,
        "_trades.html" if more else "trades.html",
        visitor,
        page=page,
        tab=tab,
        role=request.query_params.get("role", ""),
        chosen=request.query_params.get("status", ""),
        covers=await products.covers([trade.product_id for trade in page.items]),
    )


def _page_request(request: Asked) -> Any:
    return page_request(ON_A_PAGE, request.query_params.get("cursor") or None)


def _status(request: Asked) -> Status | None:
    text = request.query_params.get("status", "")
    return Status(text) if text in list(Status) else None
