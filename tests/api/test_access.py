"""Who may do what: every path, as nobody, a stranger, and the wrong party (R1, R5, R11)."""

import pytest

from market.app import Market
from tests.support.gateway import MemoryGateway
from tests.support.web import Client, problem

UNKNOWN = "0123456789abcdef" * 2

FOR_MEMBERS = [
    ("GET", "/api/me"),
    ("GET", "/api/me/purchases"),
    ("GET", "/api/me/sales"),
    ("GET", "/api/me/reservations"),
    ("POST", "/api/products"),
    ("PATCH", "/api/products/{product}"),
    ("POST", "/api/products/{product}/trades"),
    ("GET", "/api/trades/{trade}"),
    ("POST", "/api/trades/{trade}/approve"),
    ("POST", "/api/trades/{trade}/confirm"),
    ("POST", "/api/trades/{trade}/cancel"),
    ("POST", "/api/trades/{trade}/payment"),
    ("GET", "/api/payments/{payment}"),
    ("POST", "/api/payments/{payment}/complete"),
]
BODIES = {
    "/api/products": {"name": "x", "price": 1, "quantity": 1},
    "/api/products/{product}": {"name": "x"},
    "/api/trades/{trade}/cancel": {"reason": "mischief"},
    "/api/trades/{trade}/payment": {"method": "CARD"},
}


class Sale:
    """A sale between two, with a third looking on."""

    def __init__(self, seller: Client, buyer: Client, stranger: Client, **ids: str) -> None:
        self.seller, self.buyer, self.stranger = seller, buyer, stranger
        self.ids = ids

    async def try_as(self, who: Client, method: str, path: str) -> tuple[int, str]:
        answer = await who.call(method, path.format(**self.ids), BODIES.get(path))
        return problem(answer) if answer.is_error else (answer.status_code, "")


@pytest.fixture
async def sale(client: Client) -> Sale:
    seller, buyer, stranger = [await client.member(name) for name in ("seller", "buyer", "other")]
    product = (await seller.product())["id"]
    trade = (await buyer.buy(product))["id"]
    payment = (await buyer.post(f"/api/trades/{trade}/payment", {"method": "CARD"}))["id"]
    return Sale(seller, buyer, stranger, product=product, trade=trade, payment=payment)


@pytest.mark.parametrize(("method", "path"), FOR_MEMBERS)
async def test_nobody_signed_in_nobody_let_in(
    sale: Sale, client: Client, method: str, path: str
) -> None:
    assert await sale.try_as(client, method, path) == (401, "unauthenticated")


@pytest.mark.parametrize(
    ("method", "path"), [(m, p) for m, p in FOR_MEMBERS if "{trade}" in p or "{payment}" in p]
)
async def test_a_stranger_cannot_tell_anothers_trade_from_none(
    sale: Sale, method: str, path: str
) -> None:
    theirs = await sale.stranger.call(method, path.format(**sale.ids), BODIES.get(path))
    for id in (UNKNOWN, "nonsense", "%00", "1"):
        nothing = path.format(product=id, trade=id, payment=id)
        none = await sale.stranger.call(method, nothing, BODIES.get(path))
        assert problem(theirs) == problem(none) == (404, "not_found")
        assert theirs.text == none.text


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/api/products/{id}"), ("POST", "/api/products/{id}/trades")]
)
@pytest.mark.parametrize("id", [UNKNOWN, "nonsense", "12345", UNKNOWN.upper()])
async def test_an_unknown_product_is_not_found(sale: Sale, method: str, path: str, id: str) -> None:
    assert problem(await sale.stranger.call(method, path.format(id=id))) == (404, "not_found")


async def test_steps_are_refused_to_the_wrong_party(sale: Sale) -> None:
    for who, method, path, code in [
        (sale.buyer, "POST", "/api/trades/{trade}/approve", (403, "not_your_part")),
        (sale.seller, "POST", "/api/trades/{trade}/confirm", (403, "not_your_part")),
        (sale.seller, "POST", "/api/trades/{trade}/payment", (403, "not_your_part")),
        (sale.seller, "POST", "/api/payments/{payment}/complete", (404, "not_found")),
        (sale.seller, "POST", "/api/products/{product}/trades", (403, "own_product")),
        (sale.buyer, "PATCH", "/api/products/{product}", (403, "not_your_product")),
        (sale.stranger, "PATCH", "/api/products/{product}", (403, "not_your_product")),
    ]:
        assert await sale.try_as(who, method, path) == code, path


async def test_steps_are_refused_out_of_turn(sale: Sale) -> None:
    for who, path in [
        (sale.seller, "/api/trades/{trade}/approve"),
        (sale.buyer, "/api/trades/{trade}/confirm"),
    ]:
        assert await sale.try_as(who, "POST", path) == (409, "invalid_transition")


async def test_the_detail_page_shows_everybody_their_own_trades_alone(
    sale: Sale, client: Client
) -> None:
    path = f"/api/products/{sale.ids['product']}"
    for who, shown in [(sale.buyer, 1), (sale.seller, 1), (sale.stranger, 0), (client, 0)]:
        assert len((await who.get(path))["trades"]) == shown


async def test_a_buyer_cannot_cancel_what_was_approved_but_the_seller_can(
    sale: Sale, gateway: MemoryGateway, market: Market
) -> None:
    gateway.pay(sale.ids["payment"], 1000)
    await sale.buyer.post(f"/api/payments/{sale.ids['payment']}/complete")
    await sale.seller.post(f"/api/trades/{sale.ids['trade']}/approve")
    path = "/api/trades/{trade}/cancel"
    assert await sale.try_as(sale.buyer, "POST", path) == (409, "invalid_transition")
    assert await sale.try_as(sale.seller, "POST", path) == (200, "")


async def test_a_refund_under_way_is_accepted_and_shown(sale: Sale, gateway: MemoryGateway) -> None:
    gateway.pay(sale.ids["payment"], 1000)
    await sale.buyer.post(f"/api/payments/{sale.ids['payment']}/complete")
    gateway.dead = True
    path = f"/api/trades/{sale.ids['trade']}"
    answer = await sale.buyer.call("POST", f"{path}/cancel", {"reason": "changed my mind"})
    assert (answer.status_code, answer.json()["cancel_in_progress"]) == (202, True)
    shown = await sale.seller.get(path)
    assert (shown["status"], shown["cancel_reason"]) == ("PAID", "changed my mind")
    assert shown["payment"]["status"] == "PAID"
