"""A part of a word finds a product."""

from typing import cast

import pytest

from market.app import Market
from market.kit.db.database import Database, Row
from market.products.ports import Search
from market.products.sql import SqlProducts
from market.shared.money import Money
from market.shared.pagination import PageRequest
from tests.support.acts import Acts


@pytest.mark.parametrize("part", ["키보드", "기계", "보", "식 키", "KEY", "key", "100%", "%"])
async def test_any_part_of_a_name_finds_it(acts: Acts, market: Market, part: str) -> None:
    seller = await acts.member()
    await market.products.list_new(seller, "기계식 키보드 Keychron 100%", Money(1), 1, "")
    await market.products.list_new(seller, "원목 의자 1000", Money(1), 1, "")
    found = await market.products.page(Search(text=part), PageRequest(10))
    assert [product.name for product in found.items] == ["기계식 키보드 Keychron 100%"]


class Asked:
    """Notes what the adapter asks of the database, and finds nothing."""

    async def fetch_custom_plan(self, sql: str, *args: object) -> list[Row]:
        self.sql, self.args = sql, args
        return []


MANY = """
    INSERT INTO products (id, seller_id, name, description, price, currency, quantity, created_at)
    SELECT gen_random_uuid(), $1, '원목 의자 ' || n, '', 1000, 'KRW', 1, now()
    FROM generate_series(1, 2000) AS n
"""


@pytest.mark.parametrize("part", ["보", "보드", "키보드", "기계식 키보드 Keychron", "★★★★"])
async def test_a_search_of_any_length_uses_its_index(acts: Acts, db: Database, part: str) -> None:
    seller = await acts.member()
    await db.execute(MANY, seller.id)
    await db.execute("ANALYZE products, product_texts")
    asked = Asked()
    await SqlProducts(cast("Database", asked)).page(Search(text=part), PageRequest(10))
    plan = await db.fetch(f"EXPLAIN {asked.sql}", *asked.args)
    assert "Bitmap Index Scan on product_texts_by_ngrams" in str(plan)
