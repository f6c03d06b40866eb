"""What the market believes of what a provider says, and who it takes somebody for (R14)."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from market.app import Market
from market.kit.db.database import Database
from market.members.domain import WrongCredentials
from market.members.oauth.identity import (
    FlowSecrets,
    ProviderUnavailable,
    SocialIdentity,
    SocialRefused,
)
from market.worker import forget
from portone_sandbox.oauth import signing
from tests.support.barrier import at_once
from tests.support.clock import MovableClock
from tests.support.providers import StandIns

BACK = "http://127.0.0.1:8000/api/auth/social/callback"
FLOW_SECRETS = FlowSecrets.new()
PROVIDERS = [0, 1]  # kakao, naver
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
async def stand_ins(clock: MovableClock) -> AsyncIterator[StandIns]:
    async with StandIns.open(clock) as stand_ins:
        yield stand_ins


async def identify(
    stand_ins: StandIns, which: int = 0, flow_secrets: FlowSecrets = FLOW_SECRETS, **person: str
) -> SocialIdentity:
    """The whole way to an identity; `flow_secrets` is what the question was asked with."""
    provider = stand_ins.providers[which]
    place = provider.authorize_url(BACK, "state", flow_secrets)
    brought = await stand_ins.answer(place, **person)
    return await provider.identify(brought["code"], BACK, FLOW_SECRETS)


async def test_each_provider_returns_the_identity_of_its_user(stand_ins: StandIns) -> None:
    assert await identify(stand_ins) == SocialIdentity(
        "kakao", "4100000001", "haneul@example.com", email_verified=True, nickname="하늘"
    )
    assert await identify(stand_ins, 1) == SocialIdentity(
        "naver", "naver-4100000001", "haneul@example.com", email_verified=False, nickname="하늘"
    )
    nobody = await identify(stand_ins, person="비공개")
    assert (nobody.email, nobody.email_verified) == (None, False)


async def test_no_secret_appears_in_a_url(stand_ins: StandIns) -> None:
    for which in PROVIDERS:
        place = stand_ins.providers[which].authorize_url(BACK, "state", FLOW_SECRETS)
        assert FLOW_SECRETS.verifier not in place
        await identify(stand_ins, which)
    asked = [request for request in stand_ins.wire.sent if "authorize" not in request.url.path]
    assert len(asked) == 5
    assert [str(request.url.query) for request in asked] == ["b''"] * 5


async def test_a_stolen_code_is_useless_without_the_verifier(
    stand_ins: StandIns,
) -> None:
    with pytest.raises(SocialRefused):
        await identify(stand_ins, flow_secrets=FlowSecrets(FLOW_SECRETS.nonce, "another" * 9))


async def test_an_id_token_of_another_sign_in_is_refused(stand_ins: StandIns) -> None:
    with pytest.raises(SocialRefused):
        await identify(stand_ins, flow_secrets=FlowSecrets("another", FLOW_SECRETS.verifier))


def claims(**other: Any) -> dict[str, Any]:
    """What a good ID token says."""
    now = int(time.time())
    good = {
        "iss": "http://sandbox/oauth/kakao",
        "aud": "kakao-app-sandbox",
        "sub": "4100000001",
        "nonce": FLOW_SECRETS.nonce,
        "iat": now,
        "exp": now + 600,
    }
    return {name: value for name, value in {**good, **other}.items() if value is not None}


def signed(key: Any, alg: str = "RS256", **other: Any) -> str:
    return jwt.encode(claims(**other), key, algorithm=alg, headers={"kid": signing.KEY_ID})


FORGED: dict[str, Callable[[], str]] = {
    "signed by somebody else": lambda: signed(KEY),
    "not signed": lambda: signed(None, "none"),
    "for another app": lambda: signing.sign(claims(aud="another")),
    "of another issuer": lambda: signing.sign(claims(iss="https://evil.example")),
    "of another person": lambda: signing.sign(claims(sub="4100000002")),
    "without a nonce": lambda: signing.sign(claims(nonce=None)),
    "without an end": lambda: signing.sign(claims(exp=None)),
    "long over": lambda: signing.sign(claims(exp=int(time.time()) - 3600)),
    "no token": lambda: "hello",
    "empty": lambda: "..",
    "a header that is a list": lambda: "WyJhbGciXQ.e30.AAAA",
    "a kid that is a list": lambda: "eyJhbGciOiJSUzI1NiIsImtpZCI6W119.e30.AAAA",
}


async def test_a_forged_id_token_is_refused(stand_ins: StandIns) -> None:
    for name, forge in FORGED.items():
        answer = {"access_token": "x", "id_token": forge()}
        stand_ins.wire.instead["/oauth/token"] = lambda _, a=answer: httpx.Response(200, json=a)  # type: ignore[misc]
        stand_ins.wire.instead["/v2/user/me"] = lambda _: httpx.Response(
            200, json={"id": 4100000001}
        )
        with pytest.raises(SocialRefused):
            pytest.fail(f"{name}: {await identify(stand_ins)}")
    good = {"access_token": "x", "id_token": signing.sign(claims())}
    stand_ins.wire.instead["/oauth/token"] = lambda _: httpx.Response(200, json=good)
    assert (await identify(stand_ins)).subject == "4100000001"


ODD_KEYS = [{}, {"kty": 1}, {"kty": "EC", "crv": "P-1"}, {"kty": "RSA", "n": "!", "ext": True}]


async def test_a_new_key_of_the_provider_is_fetched(stand_ins: StandIns) -> None:
    """Whatever else is in its set."""
    await identify(stand_ins)
    new = RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True) | {"kid": "new", "alg": "RS256"}
    token = jwt.encode(claims(), KEY, algorithm="RS256", headers={"kid": "new"})
    answer = {"access_token": "x", "id_token": token}
    stand_ins.wire.instead = {
        "jwks.json": lambda _: httpx.Response(200, json={"keys": [*ODD_KEYS, new]}),
        "/oauth/token": lambda _: httpx.Response(200, json=answer),
        "/v2/user/me": lambda _: httpx.Response(200, json={"id": 4100000001}),
    }
    assert (await identify(stand_ins)).subject == "4100000001"


def _cut(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("cut", request=request)


async def test_every_failure_of_a_provider_raises_provider_unavailable(stand_ins: StandIns) -> None:
    troubles = [
        _cut,
        lambda _: httpx.Response(500),
        lambda _: httpx.Response(302, headers={"Location": "https://evil.example"}),
        lambda _: httpx.Response(200, text="<html>"),
        lambda _: httpx.Response(200, content=b"\xff"),
        lambda _: httpx.Response(200, json=[]),
        lambda _: httpx.Response(200, json={}),
        lambda _: httpx.Response(200, json={"id": "no number", "resultcode": "99"}),
    ]
    for which, ends in enumerate((("oauth/token", "user/me"), ("2.0/token", "nid/me"))):
        for end in ends:
            for trouble in troubles:
                stand_ins.wire.instead = {end: trouble}
                with pytest.raises(ProviderUnavailable):
                    await identify(stand_ins, which)


async def test_no_provider_is_called_inside_a_transaction(
    stand_ins: StandIns, db: Database
) -> None:
    async with db.transaction():
        with pytest.raises(RuntimeError, match="transaction"):
            await stand_ins.providers[1].identify("code", BACK, FLOW_SECRETS)


BORA = SocialIdentity("kakao", "1", "bora@example.com", email_verified=True, nickname="보라")


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("보라", "보라"),
        (None, "회원"),
        (" \n", "회원"),
        ("a\0b\u202ec", "abc"),
        ("n" * 99, "n" * 30),
    ],
)
def test_a_providers_name_is_normalized(said: str | None, shown: str) -> None:
    assert (
        SocialIdentity("kakao", "1", None, email_verified=False, nickname=said).shown_name == shown
    )


async def test_concurrent_social_sign_ins_of_one_person_create_one_member(
    market: Market, db: Database
) -> None:
    came = await asyncio.gather(*(market.social.find_or_create_member(BORA) for _ in range(8)))
    assert len({member.id for member in came}) == 1
    assert await db.fetch_value("SELECT count(*) FROM members") == 1


async def test_concurrent_sign_up_and_social_sign_in_create_one_member(
    market: Market, db: Database
) -> None:
    await asyncio.gather(
        market.members.sign_up("bora@example.com", "no password", "b"),
        market.social.find_or_create_member(BORA),
        return_exceptions=True,
    )
    assert await db.fetch_value("SELECT count(*) FROM members") == 1


async def test_a_password_removed_while_it_is_verified_begins_no_session(
    market: Market, db: Database, dsn: str
) -> None:
    hashed = await market.members.hash_password("a password")
    member, _ = await market.members.sign_up("bora@example.com", hashed, "b")
    # Both stand before the member's row: the one who comes with the provider is the first.
    admitting = asyncio.create_task(
        at_once(
            dsn,
            "members",
            member.id,
            market.social.find_or_create_member(BORA),
            _sign_in(market),
            waiting=2,
        )
    )
    outcomes = await admitting
    live = await db.fetch_value("SELECT count(*) FROM sessions WHERE revoked_at IS NULL")
    assert live == 0, outcomes
    with pytest.raises(WrongCredentials):
        await market.members.sign_in("bora@example.com", "a password")


async def _sign_in(market: Market) -> object:
    return await market.members.sign_in("bora@example.com", "a password")


async def test_unused_codes_are_purged(
    market: Market, db: Database, stand_ins: StandIns, clock: MovableClock
) -> None:
    await market.codes.keep("p", "h", b"c", clock.now() - clock.now())
    await forget(market)
    assert await db.fetch_value("SELECT count(*) FROM one_time_codes") == 0


async def test_the_authorization_request_has_state_nonce_and_challenge(stand_ins: StandIns) -> None:
    asked = parse_qs(urlsplit(stand_ins.providers[0].authorize_url(BACK, "s", FLOW_SECRETS)).query)
    assert asked["nonce"] == [FLOW_SECRETS.nonce]
    assert asked["code_challenge"] == [FLOW_SECRETS.challenge]
    assert asked["code_challenge_method"] == ["S256"]
    assert "openid" in asked["scope"][0]
