"""The fast_routes of the express lane at the catalogue: for who only looks."""

import re
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache
from urllib.parse import parse_qsl

from litestar.types import HTTPScope

from market.kit.http.fast_path import ID, FastRoute, Headers
from market.kit.http.idempotency import EncodedResponse
from market.kit.http.request import PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX
from market.shared.errors import Invalid
from market.shared.ids import MemberId, ProductId
from market.shared.pagination import PageRequest

from .domain import ProductStatus
from .http import CatalogueReader
from .ports import SEARCH_INPUT_LENGTH_MAX, Search, parse_search

QUERY_LENGTH_MAX = 1_000  # those that are remembered must not fill the memory
# The plain forms of query parameters. The route handles all other valid ones.
_PLAIN = {
    "status": re.compile("|".join(ProductStatus)),
    "q": re.compile(rf"[^\0]{{1,{SEARCH_INPUT_LENGTH_MAX}}}", re.DOTALL),
    "seller_id": re.compile(ID),
    "limit": re.compile("[1-9][0-9]{0,2}"),
    "cursor": re.compile(ID),
}


def fast_routes(catalogue: Callable[[], CatalogueReader]) -> Sequence[FastRoute]:
    """To the list and to one product, for requests that bring no token: who brings one is told if
    it is a bad one, and sees trades of their own."""

    def list_products(scope: HTTPScope, headers: Headers) -> Awaitable[EncodedResponse] | None:
        query = scope["query_string"]
        if b"authorization" in headers or len(query) > QUERY_LENGTH_MAX:
            return None
        asked = _asked(query)
        return asked and catalogue().page(*asked)

    def show_product(scope: HTTPScope, headers: Headers) -> Awaitable[EncodedResponse] | None:
        if b"authorization" in headers:
            return None
        return catalogue().detail(ProductId(scope["path_params"]["product_id"]))

    return (
        FastRoute("GET", "/api/products", list_products),
        FastRoute("GET", "/api/products/{product_id}", show_product),
    )


@lru_cache(1_000)
def _asked(query: bytes) -> tuple[Search, PageRequest] | None:
    """The page that a plain query asks for."""
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict")
    except ValueError:
        return None
    given = dict(pairs)
    if len(given) < len(pairs):
        return None
    if any(name not in _PLAIN or not _PLAIN[name].fullmatch(given[name]) for name in given):
        return None
    limit = int(given.get("limit", PAGE_SIZE_DEFAULT))
    if limit > PAGE_SIZE_MAX:
        return None
    status, seller = given.get("status"), given.get("seller_id")
    try:
        text = parse_search(given.get("q"))
    except Invalid:
        return None
    search = Search(
        ProductStatus(status) if status else None, text, MemberId(seller) if seller else None
    )
    return search, PageRequest(limit, given.get("cursor"))
