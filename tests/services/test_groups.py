"""Buyers who press at the same moment share a transaction, and nothing else (R8, R11, R12)."""

import asyncio
from collections.abc import Sequence

from market.app import Market
from market.kit.db.database import Database
from market.kit.http.idempotency import EncodedResponse, IdempotencyKey, InProgress
from market.products.domain import OwnProduct, Reserved
from market.shared.errors import MarketError, NotFound
from market.shared.ids import ProductId
from market.trades.domain import AlreadyBought, Order, Trade
from tests.support.acts import Acts
from tests.support.barrier import holding


def kinds(answers: Sequence[object]) -> list[type]:
    return [type(answer) for answer in answers]


async def test_each_of_a_group_is_judged_by_itself_in_the_order_they_came(
    acts: Acts, market: Market
) -> None:
    seller, *buyers = [await acts.member() for _ in range(4)]
    chair = await acts.product(seller, quantity=2)
    press = [Order(chair.id, buyer) for buyer in (seller, buyers[0], buyers[0], *buyers[1:])]
    nothing = Order(ProductId("e" * 32), buyers[0])
    told = await market.trades.buy_all([nothing, *press])
    assert kinds(told) == [NotFound, OwnProduct, Trade, AlreadyBought, Trade, Reserved]
    assert (await market.products.get(chair.id)).taken == 2


async def test_a_group_in_which_all_are_refused_changes_nothing(acts: Acts, market: Market) -> None:
    seller = await acts.member()
    chair = await acts.product(seller)
    assert kinds(await market.trades.buy_all([Order(chair.id, seller)])) == [OwnProduct]
    assert (await market.products.get(chair.id)).version == chair.version


async def test_groups_that_want_the_same_goods_in_another_order_never_deadlock(
    acts: Acts, market: Market, dsn: str
) -> None:
    seller, first, second = [await acts.member() for _ in range(3)]
    goods = [await acts.product(seller, quantity=2) for _ in range(5)]
    async with holding(dsn, "products", goods[2].id) as held:
        groups = asyncio.gather(
            market.trades.buy_all([Order(product.id, first) for product in goods]),
            market.trades.buy_all([Order(product.id, second) for product in goods[::-1]]),
        )
        await held.until_waiting(2)
    assert [kinds(told) for told in await groups] == [[Trade] * 5] * 2


async def test_keys_of_a_group_are_each_their_own(acts: Acts, market: Market, db: Database) -> None:
    seller, buyer, other = [await acts.member() for _ in range(3)]
    chair = await acts.product(seller, quantity=5)

    def key(text: str) -> IdempotencyKey:
        return IdempotencyKey("somebody", text, b"the same request")

    async def press(
        *asks: tuple[IdempotencyKey | None, Order],
    ) -> list[EncodedResponse | MarketError]:
        told = await asyncio.gather(
            *(market.counter.submit(ask) for ask in asks), return_exceptions=True
        )
        assert all(isinstance(one, EncodedResponse | MarketError) for one in told), told
        return [one for one in told if isinstance(one, EncodedResponse | MarketError)]

    order, refused = Order(chair.id, buyer), Order(chair.id, seller)
    told = await press((key("a"), order), (key("a"), order), (key("b"), refused), (None, order))
    assert kinds(told) == [EncodedResponse, InProgress, OwnProduct, AlreadyBought]
    again = await press((key("a"), order), (key("b"), refused), (None, Order(chair.id, other)))
    assert again[0] == told[0]
    assert isinstance(again[1], EncodedResponse)
    assert again[1].status == 403
    assert isinstance(again[2], EncodedResponse)
    assert again[2].status == 201
    assert await db.fetch_value("SELECT count(*) FROM idempotency_keys") == 2
    assert await db.fetch_value("SELECT count(*) FROM trades") == 2
