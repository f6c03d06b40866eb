"""What was stored before texts had one form is brought into it, and nobody loses their account."""

import asyncio
from uuid import UUID, uuid4

import asyncpg

from market.app import Market
from market.kit.db.migrate import migrate
from market.members.sql import SqlMembers
from market.shared.text import skeleton
from tests.support.databases import Databases

BEFORE_KEYS, WITH_KEYS = "0023", "0024"
MEMBER = """
    INSERT INTO members (id, email, nickname, password_hash, created_at, operator)
    VALUES ($1::uuid, $2::text, $3, CASE WHEN $2 IS NOT NULL THEN 'hash' END, now(), $4)
"""
BEFORE = [
    ("bora@example.com", "보라", False),
    ("bo\u200bra@example.com", "보\u200b라", False),
    ("jun＠example.com", "보라", False),
    ("mina@예시.kr", "\u1107\u1169\u1105\u1161", False),
    ("a@example.com", "\u3164", False),
    ("b@example.com", "\u2800\u00ad", False),
    ("c@example.com", "운영자", False),
    ("d@example.com", "운영자", True),
    (None, "Bora", False),
    (None, "bоra", False),
]
AFTER = [
    ("bora@example.com", "보라"),
    ("bo\u200bra@example.com", "보라2"),
    ("jun@example.com", "보라3"),
    ("mina@xn--vv4b11d.kr", "보라4"),
    ("a@example.com", "회원"),
    ("b@example.com", "회원2"),
    ("c@example.com", "회원3"),
    ("d@example.com", "운영자"),
    (None, "Bora"),
    (None, "bоra2"),
]


async def test_members_who_looked_alike_are_told_apart_and_all_are_there(
    databases: Databases,
) -> None:
    async with databases.empty() as dsn:
        await asyncio.to_thread(migrate, dsn, to=BEFORE_KEYS)
        connection = await asyncpg.connect(dsn)
        try:
            for number, (email, nickname, operator) in enumerate(BEFORE, 1):
                await connection.execute(MEMBER, UUID(int=number), email, nickname, operator)
            await asyncio.to_thread(migrate, dsn, to=WITH_KEYS)
            rows = await connection.fetch("SELECT * FROM members ORDER BY id")
        finally:
            await connection.close()
    assert [(row["email"], row["nickname"]) for row in rows] == AFTER
    assert [row["nickname_key"] for row in rows] == [skeleton(row["nickname"]) for row in rows]


async def test_a_thousand_of_one_name_are_told_apart(databases: Databases) -> None:
    async with databases.empty() as dsn:
        await asyncio.to_thread(migrate, dsn, to=BEFORE_KEYS)
        connection = await asyncpg.connect(dsn)
        try:
            members = [(uuid4(), f"m{n}@example.com", "회원", False) for n in range(1_200)]
            await connection.executemany(MEMBER, members)
            await asyncio.to_thread(migrate, dsn, to=WITH_KEYS)
            (found,) = await connection.fetch(
                "SELECT count(DISTINCT nickname), count(DISTINCT nickname_key),"
                " count(*) FILTER (WHERE nickname = '회원') FROM members"
            )
        finally:
            await connection.close()
    assert list(found) == [1_200, 1_200, 1]


async def test_whom_the_release_before_has_let_in_meanwhile_is_told_apart_later(
    market: Market,
) -> None:
    await market.members.sign_up("bora@example.com", "none", "보라")
    late = uuid4()
    await market.db.execute(MEMBER, late.hex, "late@example.com", "보\u200b라", False)
    assert await market.members.add_nickname_keys() == 1
    assert await market.members.add_nickname_keys() == 0
    renamed = await SqlMembers(market.db).find_by_email("late@example.com")
    assert renamed is not None
    assert renamed.nickname == "보라2"
