"""Sessions: a refresh token is good once, and its second use ends the family (R14)."""

from datetime import UTC, datetime, timedelta

import pytest

from market.members.domain import (
    Member,
    Session,
    TokenExpired,
    TokenInvalid,
    TokenReused,
    normal_email,
)
from market.shared.ids import MemberId, SessionId

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LIFE = timedelta(days=14)


def session() -> Session:
    member = Member(MemberId("a" * 32), "a@b", "a", "hash", NOW)
    return Session.begin(SessionId("5" * 32), member, "first", NOW, LIFE)


def test_each_refresh_replaces_the_token() -> None:
    one = session()
    one.rotate("first", "second", NOW, LIFE)
    one.rotate("second", "third", NOW, LIFE)
    assert one.current_token_id == "third"


def test_a_token_used_twice_revokes_the_session() -> None:
    one = session()
    one.rotate("first", "second", NOW, LIFE)
    with pytest.raises(TokenReused):
        one.rotate("first", "thief's", NOW, LIFE)
    with pytest.raises(TokenInvalid):
        one.rotate("second", "owner's", NOW, LIFE)


def test_an_unused_session_ends_with_its_last_token() -> None:
    with pytest.raises(TokenExpired):
        session().rotate("first", "second", NOW + LIFE, LIFE)


def test_each_refresh_extends_the_session() -> None:
    one = session()
    one.rotate("first", "second", NOW + LIFE / 2, LIFE)
    assert one.expires_at == NOW + LIFE / 2 + LIFE


def test_ending_a_session_twice_keeps_the_first_moment() -> None:
    one = session()
    one.revoke(NOW)
    one.revoke(NOW + LIFE)
    assert one.revoked_at == NOW


def test_one_mailbox_has_one_spelling() -> None:
    assert normal_email(" Bora@Example.COM ") == "bora@example.com"
