"""Signing in tells nobody who is a member: not by words, and not by time. Time is no thing to test;
that the same work is done is. bench/sign_in.py measures it."""

import pytest

from market.app import Market
from market.kit.audit import SqlAudit
from market.kit.clock import TimeOrderedIds
from market.kit.db.database import Database
from market.members.auth.passwords import Argon2Passwords
from market.members.auth.tokens import JwtTokens
from market.members.domain import WrongCredentials
from market.members.service import Lifetimes, MemberService
from market.members.sql import SqlMembers, SqlSessions
from market.settings import Settings
from market.shared.clock import Clock
from tests.support.web import Client, problem


class CountingPasswords(Argon2Passwords):
    """Argon2, and how often it was computed."""

    def __init__(self) -> None:
        super().__init__()
        self.verified: list[str] = []

    def _verify(self, password: str, hashed: str) -> bool:
        self.verified.append(hashed)
        return super()._verify(password, hashed)


@pytest.mark.parametrize("email", ["known@example.com", "unknown@example.com"])
async def test_a_wrong_password_is_hashed_once_for_a_member_and_for_nobody_alike(
    db: Database, clock: Clock, settings: Settings, email: str
) -> None:
    passwords = CountingPasswords()
    tokens = JwtTokens(settings.secret)
    sessions, ids = SqlSessions(db), TimeOrderedIds()
    members = MemberService(
        db, SqlMembers(db), sessions, passwords, tokens, SqlAudit(db), clock, ids, Lifetimes()
    )
    hashed = await members.hash_password("the right one")
    await members.sign_up("known@example.com", hashed, "known")
    with pytest.raises(WrongCredentials):
        await members.sign_in(email, "the wrong one")
    (computed,) = passwords.verified
    # Not only once, but at the same cost: algorithm, memory, passes and lanes are the hash's own.
    assert computed.split("$")[1:4] == hashed.split("$")[1:4]


async def test_the_answers_do_not_differ_by_a_byte(client: Client, market: Market) -> None:
    hashed = await market.members.hash_password("the right one")
    await market.members.sign_up("known@example.com", hashed, "known")
    answers = [
        await client.call("POST", "/api/auth/login", {"email": email, "password": "wrong one"})
        for email in ("known@example.com", "unknown@example.com")
    ]
    assert {problem(answer) for answer in answers} == {(401, "wrong_credentials")}
    told = [
        {name: v for name, v in answer.headers.items() if name != "x-request-id"}
        for answer in answers
    ]
    assert (answers[0].content, told[0]) == (answers[1].content, told[1])
