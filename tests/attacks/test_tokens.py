"""Tokens that are not what they say (RFC 8725). The simpler forgeries, and reuse of refresh tokens,
are tried in tests/api/test_auth.py."""

import base64
import json
from datetime import timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from market.settings import Settings
from tests.support.clock import MovableClock
from tests.support.web import Client, problem


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def claims_of(token: str) -> dict[str, Any]:
    return dict(jwt.decode(token, options={"verify_signature": False}))


def confused(token: str, secret: str) -> dict[str, str]:
    """Tokens that ask to be checked in a way of their own choice."""
    claims, body = claims_of(token), token.split(".")[1]
    theirs = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = theirs.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    jwk = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(theirs.public_key()))

    def signed(key: Any, alg: str, **header: Any) -> str:
        return jwt.encode(claims, key, algorithm=alg, headers={"typ": "at+jwt"} | header)

    unsigned = f"{part({'alg': 'none', 'typ': 'at+jwt'})}.{body}"
    return {
        "RS256 by a key of their own": signed(theirs, "RS256"),
        "a key of their own, brought along": signed(theirs, "RS256", jwk=jwk),
        "a key to be fetched": signed(theirs, "RS256", jku="http://127.0.0.1:9/keys", kid="1"),
        "the public key as a secret": jwt.api_jws.PyJWS().encode(
            json.dumps(claims).encode(),
            base64.b64encode(public),
            algorithm="HS256",
            headers={"typ": "at+jwt"},
        ),
        "a kid that is a path": signed("a" * 64, "HS256", kid="../../dev/null"),
        "none, and two dots": f"{unsigned}.",
        "none, and one dot": unsigned,
        "nOnE": f"{part({'alg': 'nOnE', 'typ': 'at+jwt'})}.{body}.",
        "no algorithm": f"{part({'typ': 'at+jwt'})}.{body}.",
        "an algorithm that is a list": f"{part({'alg': ['HS256'], 'typ': 'at+jwt'})}.{body}.",
        "unencoded payload": signed(secret, "HS256", b64=False, crit=["b64"]),
        "something critical": signed(secret, "HS256", crit=["exp"], exp=1),
        "five parts, as if encrypted": f"{token}..{body}",
        "its own text twice": token + token,
        "a header that is no object": f"{part([1])}.{body}.x",
        "deeply nested": f"{part({'alg': 'HS256'})}.{'W1tb' * 5000}.x",
        "not ASCII": "é" * 40,
    }


async def test_no_token_says_how_it_is_to_be_checked(client: Client, settings: Settings) -> None:
    member = await client.member()
    assert member.token
    for name, token in confused(member.token, settings.secret).items():
        header = b"Bearer " + token.encode()
        answer = await client.http.get("/api/me", headers={b"Authorization": header})
        assert problem(answer) == (401, "token_invalid"), name


@pytest.mark.parametrize("kind", ["at+jwt", "rt+jwt"])
async def test_claims_that_are_not_as_we_give_them_are_refused(
    client: Client, settings: Settings, clock: MovableClock, kind: str
) -> None:
    """Signed with the right secret, and wrong all the same: nothing but what we give is taken."""
    member = await client.member()
    good = claims_of(member.token or "" if kind == "at+jwt" else member.refresh_token)
    tomorrow = int((clock.now() + timedelta(days=1)).timestamp())
    missing: list[dict[str, Any]] = [
        {name: value for name, value in good.items() if name != gone} for gone in good
    ]
    wrong: list[dict[str, Any]] = [
        {"nbf": tomorrow},
        {"iat": tomorrow},
        {"iat": "yesterday"},
        {"exp": None},
        {"exp": [tomorrow]},
        {"aud": "another market"},
        {"aud": ["wanted-market"]},
        {"iss": "Wanted-Market"},
        {"sid": ""},
        {"sid": good["sid"].upper()},
        {"sid": [good["sid"]]},
        {"sid": {"$ne": None}},
    ]
    for claims in [*missing, *(good | change for change in wrong)]:
        token = jwt.encode(claims, settings.secret, "HS256", headers={"typ": kind})
        if kind == "at+jwt":
            answer = await Client(client.http, token).call("GET", "/api/me")
        else:
            answer = await client.call("POST", "/api/auth/refresh", {"refresh_token": token})
        assert problem(answer) == (401, "token_invalid"), claims
    if kind == "rt+jwt":
        await client.post("/api/auth/refresh", {"refresh_token": member.refresh_token})


async def test_claims_we_never_gave_give_nothing(client: Client, settings: Settings) -> None:
    member, other = await client.member(), await client.member()
    more = {"role": "operator", "operator": True, "email": other.email, "member_id": other.id}
    claims = claims_of(member.token or "") | more
    token = jwt.encode(claims, settings.secret, "HS256", headers={"typ": "at+jwt"})
    shown = await Client(client.http, token).get("/api/me")
    assert (shown["id"], shown["email"]) == (member.id, member.email)


async def test_a_session_and_a_member_go_together(client: Client, settings: Settings) -> None:
    member, other = await client.member(), await client.member()
    mixed = claims_of(member.token or "") | {"sub": other.id}
    token = jwt.encode(mixed, settings.secret, "HS256", headers={"typ": "at+jwt"})
    assert problem(await Client(client.http, token).call("GET", "/api/me"))[1] == "token_invalid"


async def test_a_token_counts_in_its_header_alone(client: Client) -> None:
    member = await client.member()
    token = member.token or ""
    for path in (f"/api/me?access_token={token}", f"/api/me?token={token}"):
        assert problem(await client.call("GET", path)) == (401, "unauthenticated")
    for name in ("Cookie", "X-Access-Token", "Proxy-Authorization"):
        answer = await client.http.get("/api/me", headers={name: f"access_token={token}"})
        assert problem(answer) == (401, "unauthenticated")


async def test_a_huge_token_is_refused_unread(client: Client) -> None:
    huge = "e" * 1_000_000
    assert problem(await Client(client.http, huge).call("GET", "/api/me"))[0] == 401
    answer = await client.call("POST", "/api/auth/refresh", {"refresh_token": huge[:2049]})
    assert problem(answer) == (400, "invalid_request")


async def test_an_ended_session_opens_nothing_though_its_token_is_good(client: Client) -> None:
    member = await client.member()
    product = await (await client.member()).product()
    body = {"refresh_token": member.refresh_token}
    assert (await client.call("POST", "/api/auth/logout", body)).status_code == 204
    for method, path in [
        ("GET", "/api/me"),
        ("GET", "/api/products"),
        ("POST", f"/api/products/{product['id']}/trades"),
    ]:
        assert problem(await member.call(method, path)) == (401, "token_invalid")
