"""What somebody saw is what they agree to: when it changed since, they are asked again."""

from market.app import Market
from tests.support.web import Client, problem

STALE = (412, "stale")


async def test_an_edit_of_what_was_edited_since_changes_nothing(client: Client) -> None:
    seller = await client.member()
    path = f"/api/products/{(await seller.product())['id']}"
    seen = (await seller.call("GET", path)).headers["etag"]
    assert (await client.call("GET", path)).headers["etag"] == seen  # by the lane too
    first = await seller.call("PATCH", path, {"price": 2000}, If_Match=seen)
    assert first.json()["price"] == 2000
    second = await seller.call("PATCH", path, {"description": "새것"}, If_Match=seen)
    assert problem(second) == STALE
    shown = await seller.call("GET", path)
    assert (shown.json()["price"], shown.json()["description"]) == (2000, "")
    assert shown.headers["etag"] == first.headers["etag"] != seen
    fresh = first.headers["etag"]
    again = await seller.call("PATCH", path, {"description": "새것"}, If_Match=fresh)
    assert again.json()["description"] == "새것"


async def test_a_purchase_is_no_edit(client: Client) -> None:
    seller, buyer = await client.member("s"), await client.member("b")
    product = (await seller.product(quantity=2))["id"]
    seen = (await seller.call("GET", f"/api/products/{product}")).headers["etag"]
    await buyer.buy(product)
    edited = await seller.call("PATCH", f"/api/products/{product}", {"price": 2}, If_Match=seen)
    assert (edited.status_code, edited.json()["remaining"]) == (200, 1)


async def test_tags_that_are_not_its_own_match_nothing(client: Client, market: Market) -> None:
    seller = await client.member()
    path = f"/api/products/{(await seller.product())['id']}"
    for tag in ("", "0", '"1"', '"x"', "nonsense", '"0', '"-0"', f'"{"0" * 50}"', '"1", "2"'):
        refused = await seller.call("PATCH", path, {"price": 2}, If_Match=tag)
        assert problem(refused) == STALE, tag
    assert await market.db.value("SELECT version FROM products") == 0
    for tag in ("*", '"5", "1"', 'W/"2"'):
        edited = await seller.call("PATCH", path, {"price": 2}, If_Match=tag)
        assert edited.status_code == 200, tag


async def test_who_may_not_edit_is_told_that_first(client: Client) -> None:
    seller, other = await client.member("s"), await client.member("o")
    path = f"/api/products/{(await seller.product())['id']}"
    refused = await other.call("PATCH", path, {"price": 2}, If_Match='"9"')
    assert problem(refused) == (403, "not_your_product")
