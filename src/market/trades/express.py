"""The door of the express lane at the counter: for who presses 구매하기."""

from collections.abc import Awaitable, Callable, Sequence

from litestar.types import HTTPScope

from market.kit.http.fast_path import FastRoute, Headers
from market.kit.http.idempotency import EncodedResponse
from market.kit.http.request import build_key
from market.shared.errors import Unauthenticated
from market.shared.ids import ProductId
from market.shared.principals import Principal

from .http import Counter


def fast_routes(
    counter: Callable[[], Counter], caller_of: Callable[[HTTPScope], Awaitable[Principal | None]]
) -> Sequence[FastRoute]:
    """To a purchase, for requests with a token and without a body."""

    def buy(scope: HTTPScope, headers: Headers) -> Awaitable[EncodedResponse] | None:
        if headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in headers:
            return None
        key = headers.get(b"idempotency-key", b"")
        if key is None or headers.get(b"authorization") is None:
            return None
        return bought(scope, key.decode("latin-1") if b"idempotency-key" in headers else None)

    async def bought(scope: HTTPScope, key: str | None) -> EncodedResponse:
        caller = await caller_of(scope)
        if caller is None:
            raise Unauthenticated
        product_id = ProductId(scope["path_params"]["product_id"])
        wish = None if key is None else build_key(key, scope, b"", caller)
        return await counter().serve(product_id, caller, wish)

    return (FastRoute("POST", "/api/products/{product_id}/trades", buy),)
