"""A form of goods, sent once or more often. Of what it lists, tests/web/ tells more."""

from dataclasses import replace

from market.app import Market
from market.kit.db.database import Database
from market.kit.http.idempotency import (
    EncodedResponse,
    ExecutionMode,
    Idempotency,
    IdempotencyKey,
    Work,
)
from market.products.domain import TooManyPhotos
from market.shared.clock import Clock
from tests.support.web import in_process
from tests.web.person import CHAIR

from .conftest import Guest


class Unwilling(Idempotency):
    """Whose work is always refused."""

    async def answer(self, key: IdempotencyKey, mode: ExecutionMode, work: Work) -> EncodedResponse:
        async def refused() -> EncodedResponse:
            raise TooManyPhotos

        return await super().answer(key, mode, refused)


async def test_a_refusal_is_said_however_often_the_form_is_sent(
    market: Market, db: Database, clock: Clock
) -> None:
    unwilling = replace(market, idempotency=Unwilling(db, clock, "a secret"))
    async with in_process(unwilling) as client:
        guest = await Guest(client.http).sign_up()
        for _ in range(2):
            refused = await guest.send("/sell", **CHAIR)
            assert (refused.status_code, "다섯 장까지" in refused.text) == (409, True)
    assert await db.fetch_value("SELECT count(*) FROM products") == 0


async def test_numbers_are_read_as_people_type_them(market: Market, db: Database) -> None:
    async with in_process(market) as client:
        guest = await Guest(client.http).sign_up()
        for price, quantity in (
            ("3000원", "２"),
            ("₩3,000", "2개"),
            ("３，０００", "2"),
            ("3 000", " 2 "),
        ):
            listed = await guest.send("/sell", **{**CHAIR, "price": price, "quantity": quantity})
            assert listed.status_code == 303, price
        for odd in ("3,0,0,0", ",,,5", "3.000", "1만", "1e4", "٣٠٠٠", "-5", "0", ""):
            for field in ("price", "quantity"):
                refused = await guest.send("/sell", **{**CHAIR, field: odd})
                assert refused.status_code == 400, (field, odd)
    rows = await db.fetch("SELECT price, quantity FROM products")
    assert {tuple(row) for row in rows} == {(3000, 2)}
    assert len(rows) >= 1
