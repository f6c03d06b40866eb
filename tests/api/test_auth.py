"""Sign-in over HTTP, and everything that is not a good token (R14)."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest

from market.app import Market
from market.kit.db.database import Database
from market.members.auth.tokens import JwtTokens
from market.members.domain import TokenInvalid
from market.settings import Settings
from tests.support.barrier import at_once
from tests.support.clock import MovableClock
from tests.support.web import Client, problem

SIGNUP = {"email": "bora@example.com", "password": "a password", "nickname": "보라"}


async def test_sign_up_begins_a_session(client: Client) -> None:
    response = await client.call("POST", "/api/auth/signup", SIGNUP)
    assert response.status_code == 201
    body = response.json()
    assert body["member"]["email"] == "bora@example.com"
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 600)
    me = await Client(client.http, body["access_token"]).get("/api/me")
    assert me == body["member"]


async def test_an_address_signs_up_once_however_it_is_spelled(client: Client) -> None:
    await client.post("/api/auth/signup", SIGNUP)
    again = SIGNUP | {"email": " BORA@Example.com"}
    assert problem(await client.call("POST", "/api/auth/signup", again)) == (409, "email_taken")


async def test_a_failed_sign_in_does_not_tell_whether_the_member_exists(client: Client) -> None:
    await client.post("/api/auth/signup", SIGNUP)
    right = {"email": "Bora@example.com", "password": "a password"}
    tokens = await client.post("/api/auth/login", right)
    assert tokens.keys() == {"access_token", "refresh_token", "token_type", "expires_in"}
    refusals = [
        await client.call("POST", "/api/auth/login", right | wrong)
        for wrong in ({"password": "wrong one"}, {"email": "nobody@example.com"})
    ]
    assert [problem(refusal) for refusal in refusals] == [(401, "wrong_credentials")] * 2
    assert refusals[0].text == refusals[1].text


async def test_passwords_are_stored_as_argon2_hashes_alone(client: Client, db: Database) -> None:
    await client.post("/api/auth/signup", SIGNUP, Idempotency_Key="k1")
    row = await db.fetch_one("SELECT * FROM members")
    assert row is not None
    assert row["password_hash"].startswith("$argon2id$")
    answers = await db.fetch_one("SELECT * FROM idempotency_keys")
    assert answers is not None
    assert b"access_token" not in answers["answer"]


async def test_refreshing_gives_a_new_pair_each_time(client: Client) -> None:
    member = await client.member()
    first = await client.post("/api/auth/refresh", {"refresh_token": member.refresh_token})
    second = await client.post("/api/auth/refresh", {"refresh_token": first["refresh_token"]})
    assert len({member.refresh_token, first["refresh_token"], second["refresh_token"]}) == 3
    await Client(client.http, second["access_token"]).get("/api/me")


async def test_a_refresh_token_used_twice_revokes_its_session(client: Client, db: Database) -> None:
    member = await client.member()
    used = {"refresh_token": member.refresh_token}
    fresh = await client.post("/api/auth/refresh", used)
    assert problem(await client.call("POST", "/api/auth/refresh", used)) == (401, "token_reused")
    # The revocation was committed, though the request that caused it was refused.
    assert await db.fetch_value("SELECT revoked_at IS NOT NULL FROM sessions")
    newest = {"refresh_token": fresh["refresh_token"]}
    assert problem(await client.call("POST", "/api/auth/refresh", newest))[0] == 401
    for token in (member.token, fresh["access_token"]):
        stale = Client(client.http, token)
        assert problem(await stale.call("GET", "/api/me")) == (401, "token_invalid")


async def test_concurrent_refresh_revokes_the_session(
    client: Client, db: Database, dsn: str
) -> None:
    member = await client.member()
    body = {"refresh_token": member.refresh_token}
    session = await db.fetch_value("SELECT id FROM sessions")
    both = [client.call("POST", "/api/auth/refresh", body) for _ in range(2)]
    answers = await at_once(dsn, "sessions", session, *both, waiting=2)
    assert sorted(answer.status_code for answer in answers) == [200, 401]
    assert problem(await member.call("GET", "/api/me")) == (401, "token_invalid")


async def test_sign_out_revokes_both_tokens(client: Client) -> None:
    member = await client.member()
    body = {"refresh_token": member.refresh_token}
    assert (await client.call("POST", "/api/auth/logout", body)).status_code == 204
    assert problem(await member.call("GET", "/api/me")) == (401, "token_invalid")
    assert problem(await client.call("POST", "/api/auth/refresh", body))[0] == 401


async def test_tokens_expire(client: Client, clock: MovableClock) -> None:
    member = await client.member()
    clock.move(seconds=599)
    await member.get("/api/me")
    clock.move(seconds=1)
    assert problem(await member.call("GET", "/api/me")) == (401, "token_expired")
    clock.move(days=14)
    body = {"refresh_token": member.refresh_token}
    assert problem(await client.call("POST", "/api/auth/refresh", body)) == (401, "token_expired")


def _segment(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def forged(good: str, secret: str, clock: MovableClock) -> dict[str, str]:
    """Everything somebody might try in place of a good access token."""
    header, body, signature = good.split(".")
    claims = jwt.decode(good, options={"verify_signature": False})
    later = claims | {"exp": int((clock.now() + timedelta(days=999)).timestamp())}

    def signed(claims: Any, key: str = secret, typ: str = "at+jwt", alg: str = "HS256") -> str:
        return jwt.encode(claims, key, algorithm=alg, headers={"typ": typ})

    return {
        "algorithm none": f"{_segment({'alg': 'none', 'typ': 'at+jwt'})}.{body}.",
        "algorithm NONE": f"{_segment({'alg': 'NONE', 'typ': 'at+jwt'})}.{body}.{signature}",
        "another algorithm": signed(claims, secret * 2, alg="HS512"),
        "another key": signed(claims, "another secret, long enough for HS256"),
        "no signature": f"{header}.{body}.",
        "altered body": f"{header}.{_segment(later)}.{signature}",
        "another kind": signed(claims, typ="rt+jwt"),
        "no kind": signed(claims, typ="JWT"),
        "another issuer": signed(claims | {"iss": "elsewhere"}),
        "no expiry": signed({k: v for k, v in claims.items() if k != "exp"}),
        "text for expiry": signed(claims | {"exp": "9999999999"}),
        "no subject": signed({k: v for k, v in claims.items() if k != "sub"}),
        "another member": signed(claims | {"sub": "e" * 32}),
        "no such session": signed(claims | {"sid": "e" * 32}),
        "strange session": signed(claims | {"sid": "'; DROP TABLE members; --"}),
        "not a token": "hello",
        "empty parts": "..",
        "a header that is a list": f"{_segment(['alg'])}.{body}.{signature}",
        "a header that is text": f"{_segment('alg')}.{body}.{signature}",
        "critical is a number": f"{_segment({'alg': 'HS256', 'crit': 5})}.{body}.{signature}",
    }


async def test_a_forged_token_is_refused_everywhere(
    client: Client, settings: Settings, clock: MovableClock
) -> None:
    member = await client.member()
    assert member.token
    for name, token in forged(member.token, settings.secret, clock).items():
        for path in ("/api/me", "/api/products"):
            answer = await Client(client.http, token).call("GET", path)
            assert problem(answer) == (401, "token_invalid"), name
            assert answer.headers["www-authenticate"] == "Bearer"


async def test_access_and_refresh_tokens_do_not_replace_each_other(
    client: Client,
) -> None:
    member = await client.member()
    wrong = await Client(client.http, member.refresh_token).call("GET", "/api/me")
    assert problem(wrong) == (401, "token_invalid")
    body = {"refresh_token": member.token}
    assert problem(await client.call("POST", "/api/auth/refresh", body)) == (401, "token_invalid")
    assert problem(await client.call("POST", "/api/auth/logout", body)) == (401, "token_invalid")


@pytest.mark.parametrize("header", ["Basic Zm9vOmJhcg==", "Bearer", "Bearer ", "token", ""])
async def test_other_schemes_are_refused(client: Client, header: str) -> None:
    assert problem(await client.call("GET", "/api/me", Authorization=header))[0] == 401


@pytest.mark.parametrize(
    "wrong",
    [
        {"email": "not an address"},
        {"email": "a@" + "b" * 300},
        {"password": "short"},
        {"password": "x" * 129},
        {"nickname": " "},
        {"nickname": "n" * 31},
        {"nickname": None},
        {"password": 12345678},
    ],
)
async def test_an_invalid_sign_up_creates_no_member(
    client: Client, market: Market, wrong: dict[str, Any]
) -> None:
    refused = await client.call("POST", "/api/auth/signup", SIGNUP | wrong)
    assert problem(refused) == (400, "invalid_request")
    assert await market.db.fetch_value("SELECT count(*) FROM members") == 0
    assert "short" not in refused.text


@pytest.mark.parametrize("kind", ["at+jwt", "rt+jwt"])
def test_a_token_is_of_the_kind_it_says_whatever_else_it_claims(kind: str) -> None:
    now = datetime.now(UTC)
    every_claim = {"sub": "1" * 32, "sid": "2" * 32, "jti": "3" * 32}
    tokens = JwtTokens("x" * 32)
    token = tokens._sign(kind, every_claim, now, now + timedelta(minutes=1))
    readers = {"at+jwt": tokens.read_access, "rt+jwt": tokens.read_refresh}
    readers.pop(kind)(token, now)
    (other,) = readers.values()
    with pytest.raises(TokenInvalid):
        other(token, now)
