"""The list and the detail page: what anyone may look at (R1, R2, R5)."""

from collections.abc import Sequence
from typing import Any

from litestar import Controller, Request, Response, get
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath

from market.kit.http.request import page_request, path_id
from market.products.domain import ProductStatus
from market.products.ports import SEARCH_LENGTH_MAX, Search
from market.products.service import ProductService
from market.shared.contracts import TradeSummary
from market.shared.ids import ProductId
from market.shared.pagination import Page, PageRequest
from market.shared.text import cut, line
from market.trades.domain import Status as TradeStatus
from market.trades.service import TradeService

from .page import render
from .visitor import Here, Shop

ON_A_PAGE, DEALS_ON_A_PAGE = 24, 50

Products = NamedDependency[ProductService]
Trades = NamedDependency[TradeService]


class CatalogueController(Controller):
    """Anyone's pages."""

    @get("/")
    async def list(
        self,
        request: Request[Any, Any, State],
        visitor: Here,
        shop: NamedDependency[Shop],
        products: Products,
    ) -> Response[str]:
        """Products, newest first. With htmx, the next part of the list alone."""
        given = request.query_params
        text = cut(line(given.get("q", "").replace("\0", "")), SEARCH_LENGTH_MAX)
        status = _status(given.get("status", ""))
        cursor = given.get("cursor") or None
        found = await products.page(Search(status, text or None), page_request(ON_A_PAGE, cursor))
        more = request.headers.get("hx-request") == "true" and cursor is not None
        return render(
            shop,
            "_cards.html" if more else "list.html",
            visitor,
            page=found,
            q=text,
            chosen=status,
            statuses=list(ProductStatus),
            covers=await products.covers([product.id for product in found.items]),
        )

    @get("/products/{product_id:str}")
    async def show(
        self,
        product_id: FromPath[str],
        request: Request[Any, Any, State],
        visitor: Here,
        shop: NamedDependency[Shop],
        products: Products,
        trades: Trades,
    ) -> Response[str]:
        """One product, with the visitor's own trades of it (R5)."""
        product = await products.get(ProductId(path_id(product_id)))
        viewer = visitor.caller
        mine = viewer is not None and viewer.id == product.seller.id
        deals: Page[TradeSummary] = Page([], None)
        first = deals
        if viewer:
            wanted = PageRequest(DEALS_ON_A_PAGE, request.query_params.get("cursor") or None)
            deals = await trades.deals(product.id, viewer.id, wanted)
            first = (
                await trades.deals(product.id, viewer.id, PageRequest(1))
                if wanted.cursor
                else deals
            )
        return render(
            shop,
            "product.html",
            visitor,
            product=product,
            photos=await products.photos_of(product.id),
            deals=deals,
            mine=mine,
            bought=None if mine else _running(first.items),
        )


def _running(deals: Sequence[TradeSummary]) -> TradeSummary | None:
    """A buyer's live trade: there is one at most (R8), and it comes first."""
    return next((deal for deal in deals if deal.status != TradeStatus.CANCELLED), None)


def _status(text: str) -> ProductStatus | None:
    return ProductStatus(text) if text in list(ProductStatus) else None
