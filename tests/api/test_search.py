"""What is looked for is found in name and description, however either is written (A7, M1)."""

from typing import Any

import pytest

from market.app import Market
from market.kit.db.database import Database
from market.products.domain import Change
from market.products.ports import Search
from market.shared.ids import ProductId
from market.shared.pagination import PageRequest
from tests.support.acts import Acts
from tests.support.browser import browsing
from tests.support.web import Client

NFD = "\u1106\u1162\u11a8\u1107\u116e\u11a8 \u1111\u1161\u110b\u116e\u110e\u1175"
IPHONE = "아이폰 13 미니 실버"


async def listed(seller: Client, name: str, description: str = "") -> str:
    body = {"name": name, "price": 1, "quantity": 1, "description": description}
    id: str = (await seller.post("/api/products", body))["id"]
    return id


SAME = [
    (["맥북 파우치", NFD], ["파우치", "\u1111\u1161\u110b\u116e\u110e\u1175", NFD, "북파"]),
    (["USB1A 허브", "ＵＳＢ１Ａ　허브"], ["usb1a", "ＵＳＢ１Ａ", "Usb1A허브", "허브 ｕｓｂ"]),
    (
        [IPHONE],
        ["아이폰 실버", "실버 아이폰", "아이폰13 미니", "아이폰  13", "13\u3000실버", "폰13미"],
    ),
    (["원목 의자"], ["원목의자", "의자 원목", "원 목", "\u200b의자\ufeff", "의\u00ad자"]),
    (["Straße ΣΊΣΥΦΟΣ"], ["strasse", "STRASSE", "σίσυφος", "straße"]),
    (["ﬁne ｶﾒﾗ Ⅳ"], ["FINE", "カメラ", "iv"]),
    (["❤️ 100%_\\"], ["❤", "❤️", "%", "_", "\\", "100%"]),
]


@pytest.mark.parametrize(("names", "queries"), SAME)
async def test_what_is_written_in_two_ways_is_found_by_either(
    client: Client, market: Market, names: list[str], queries: list[str]
) -> None:
    seller = await client.member()
    await listed(seller, "자전거", "빨간색")
    for name in names:
        await listed(seller, name)
    for q in queries:
        answer = await client.http.get("/api/products", params={"q": q})
        assert len(answer.json()["items"]) == len(names), ascii(q)
        async with browsing(market) as browser:
            page = await browser.open(f"/?q={q.replace('%', '%25').replace(' ', '+')}")
        assert "자전거" not in page, ascii(q)


async def test_every_word_must_be_there_in_name_or_description(
    client: Client, market: Market
) -> None:
    seller = await client.member()
    chair = await listed(seller, "원목 의자", "세 번 앉았어요.\nIKEA 정품, 흠집 없음")
    await listed(seller, "원목 책상", "의자는 없어요")
    ids = {
        q: [
            item["id"]
            for item in (await client.http.get("/api/products", params={"q": q})).json()["items"]
        ]
        for q in (
            "ikea",
            "ikea 의자",
            "정품 원목",
            "흠집없음",
            "의자 IKEA 원목 세번",
            "의자 ikea 책상",
            "자세",
        )
    }
    assert {q for q, items in ids.items() if items == [chair]} == {
        *("ikea", "ikea 의자", "정품 원목", "흠집없음", "의자 IKEA 원목 세번"),
    }
    assert ids["의자 ikea 책상"] == ids["자세"] == []  # nor across the end of the name
    both = await client.http.get("/api/products", params={"q": "원목 의자"})
    assert len(both.json()["items"]) == 2


async def test_status_seller_and_pages_stay_with_the_words(
    client: Client, acts: Acts, market: Market
) -> None:
    one, other = await client.member(), await client.member()
    ids = [await listed(seller, f"의자 {n}") for n, seller in enumerate((one, other, one, other))]
    await (await client.member()).buy(ids[0])
    params: dict[str, Any] = {"q": "의자", "status": "ON_SALE", "limit": "2"}
    first = (await client.http.get("/api/products", params=params)).json()
    assert [item["id"] for item in first["items"]] == [ids[3], ids[2]]
    rest = await client.http.get("/api/products", params=params | {"cursor": first["next_cursor"]})
    assert [item["id"] for item in rest.json()["items"]] == [ids[1]]
    theirs = await client.http.get("/api/products", params={"q": "의자", "seller_id": one.id})
    assert [item["id"] for item in theirs.json()["items"]] == [ids[2], ids[0]]
    taken = await client.http.get("/api/products", params={"q": "의자", "status": "RESERVED"})
    assert [item["id"] for item in taken.json()["items"]] == [ids[0]]


async def test_what_is_not_seen_is_not_looked_for(client: Client, market: Market) -> None:
    await listed(await client.member(), "의자")
    for q in ("", " ", "\u200b", "\u3164\u3000"):
        answer = await client.http.get("/api/products", params={"q": q})
        assert len(answer.json()["items"]) == 1, ascii(q)


async def test_a_search_is_as_long_as_it_looks(client: Client) -> None:
    for q, status in (
        ("의" * 100, 200),
        ("의" * 101, 400),
        ("\u110b\u1174" * 100, 200),
        ("\u110b\u1174" * 101, 400),
        ("\u200b" * 300 + "의", 200),
        ("의" * 500, 400),
    ):
        for path in ("/api/products", "/api/products/"):
            answer = await client.http.get(path, params={"q": q})
            assert answer.status_code == status, (len(q), path)


async def test_an_edit_is_found_by_its_new_words_alone(acts: Acts, market: Market) -> None:
    seller = await acts.member()
    made = await acts.product(seller)
    await market.products.change(made.id, seller.id, Change(name="탁자", description="대리석"))

    async def finds(text: str) -> list[ProductId]:
        page = await market.products.page(Search(text=text), PageRequest(5))
        return [one.id for one in page.items]

    assert [await finds(q) for q in ("chair", "탁자", "대리석 탁자")] == [[], [made.id], [made.id]]


async def test_added_and_renamed_products_are_found_however_they_were_written(
    acts: Acts, db: Database
) -> None:
    """The release before, and whoever writes SQL."""
    made = await acts.product(await acts.member())
    words = "SELECT words FROM product_texts WHERE product_id = $1"
    assert await db.fetch_value(words, made.id) == f"{made.name} "
    await db.execute("UPDATE products SET name = '등산 배낭' WHERE id = $1", made.id)
    assert await db.fetch_value(words, made.id) == "등산배낭 "


async def test_a_purchase_writes_nothing_into_the_index(acts: Acts, market: Market) -> None:
    trade = await acts.trade(2)
    writes = "SELECT n_tup_ins + n_tup_upd FROM pg_stat_user_tables WHERE relname = 'product_texts'"
    await market.db.fetch_value("SELECT pg_stat_force_next_flush()")
    before = await market.db.fetch_value(writes)
    await acts.pay(trade)
    await market.trades.buy(trade.product_id, await acts.member())
    await market.db.fetch_value("SELECT pg_stat_force_next_flush()")
    assert await market.db.fetch_value(writes) == before
