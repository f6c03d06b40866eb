"""Both languages say everything, and a part of a word finds a product."""

import re
from pathlib import Path
from typing import cast

import pytest

from market.app import Market
from market.kit.db.database import Database, Row
from market.products.ports import Search
from market.products.sql import SqlProducts
from market.shared.money import Money
from market.shared.notification import NotificationKind
from market.shared.pagination import PageRequest
from market.web import show, words
from market.web.console_words import TOLD as CONSOLE_TOLD
from market.web.words import TOLD
from tests.support.acts import Acts

_ROOT = Path(words.__file__).parent
EN, CODES = words._ENGLISH, words._REFUSALS
_IN_TEMPLATES = re.compile(r"""\bt\(\s*(["'])(.*?)\1|\belse t\((["'])(.*?)\3""")
_IN_FORMS = re.compile(r'fault\([^,]*,\s*"([^"]*[가-힣][^"]*)"')


def spoken() -> set[str]:
    """Every Korean sentence a page may show."""
    found: set[str] = {*TOLD.values(), *CONSOLE_TOLD.values()}
    for table in (show.PRODUCT_STATUS, show.TRADE_STATUS, show.METHOD, show.BANKS):
        found |= set(table.values())
    for path in (_ROOT / "templates").rglob("*.html"):
        found |= {match[2] or match[4] for match in _IN_TEMPLATES.finditer(path.read_text())}
    for path in _ROOT.glob("*.py"):
        found |= set(_IN_FORMS.findall(path.read_text()))
    return found


def test_every_sentence_has_its_english() -> None:
    assert spoken() - EN.keys() == set()


def test_an_act_and_a_state_are_two_things_in_english_too() -> None:
    assert EN["거래 취소하기"] == "Cancel the trade"
    assert EN["거래 취소"] == "Cancelled"
    for path in (_ROOT / "templates").rglob("*.html"):
        if "console" not in path.parts:
            assert 't("거래 취소")' not in path.read_text(), path.name


def test_both_languages_fill_in_the_same() -> None:
    for korean, english in EN.items():
        assert set(re.findall(r"{\w+}", korean)) >= set(re.findall(r"{\w+}", english)), korean
    assert all(korean and english for korean, english in CODES.values())


def test_every_notice_has_words_for_both_sides() -> None:
    assert set(show.TOLD_BUYER) == set(show.TOLD_SELLER) == set(NotificationKind)
    assert {*show.TOLD_BUYER.values(), *show.TOLD_SELLER.values()} <= EN.keys()


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
