"""The stand-ins of Kakao and Naver, as a client of theirs sees them."""

import hashlib
from base64 import urlsafe_b64encode
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest

from .client import Client, Json

BACK = "http://127.0.0.1:9/callback"
VERIFIER = "v" * 50
CHALLENGE = urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
OPENID = {"scope": "openid", "nonce": "n0", "code_challenge": CHALLENGE}
AUTHORIZE = {"kakao": "/oauth/kakao/oauth/authorize", "naver": "/oauth/naver/oauth2.0/authorize"}
TOKEN = {"kakao": "/oauth/kakao/oauth/token", "naver": "/oauth/naver/oauth2.0/token"}
ME = {"kakao": "/oauth/kakao/v2/user/me", "naver": "/oauth/naver/v1/nid/me"}
PROVIDERS = ["kakao", "naver"]


def go(client: Client, provider: str, **more: str | None) -> httpx.Response:
    """A browser at the authorize page."""
    app = client.keys["oauth"][provider]
    query = {
        "response_type": "code",
        "client_id": app["client_id"],
        "redirect_uri": BACK,
        "state": "st&te",
        "decision": "approve",
        **(
            {"scope": "openid", "nonce": "n0", "code_challenge": CHALLENGE}
            if provider == "kakao"
            else {}
        ),
    }
    wanted = {k: v for k, v in {**query, **more}.items() if v is not None}
    return client.http.get(AUTHORIZE[provider], params=wanted)


def said(answer: httpx.Response) -> dict[str, str]:
    """What a redirect brings back to the client."""
    assert answer.status_code == 302, answer.text
    where = urlsplit(answer.headers["location"])
    assert where._replace(query="").geturl() == BACK
    return {name: values[0] for name, values in parse_qs(where.query).items()}


def token(client: Client, provider: str, code: str, **more: str) -> httpx.Response:
    """The client's server at the token endpoint."""
    app = client.keys["oauth"][provider]
    form = {
        "grant_type": "authorization_code",
        "client_id": app["client_id"],
        "client_secret": app["client_secret"],
        "redirect_uri": BACK,
        "code": code,
        **({"code_verifier": VERIFIER} if provider == "kakao" else {"state": "st&te"}),
        **more,
    }
    return client.http.post(TOKEN[provider], data=form)


def tokens(client: Client, provider: str, **more: str) -> Json:
    answer = token(client, provider, said(go(client, provider, **more))["code"])
    assert answer.status_code == 200, answer.text
    shown: Json = answer.json()
    return shown


def me(client: Client, provider: str, access: str) -> httpx.Response:
    return client.http.get(ME[provider], headers={"Authorization": f"Bearer {access}"})


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_person_approves_and_is_shown(client: Client, provider: str) -> None:
    brought = said(go(client, provider, person="바다"))
    assert brought.keys() == {"code", "state"}
    assert brought["state"] == "st&te"
    access = token(client, provider, brought["code"]).json()["access_token"]
    shown: Any = me(client, provider, access).json()
    if provider == "kakao":
        assert shown["id"] == 4100000002
        assert shown["kakao_account"] == {
            "profile": {"nickname": "바다"},
            "has_email": True,
            "is_email_valid": True,
            "is_email_verified": True,
            "email": "bada@example.com",
        }
    else:
        person = {"id": "naver-4100000002", "nickname": "바다", "email": "bada@example.com"}
        assert shown == {"resultcode": "00", "message": "success", "response": person}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_person_declines(client: Client, provider: str) -> None:
    brought = said(go(client, provider, decision="decline"))
    assert (brought["error"], brought["state"]) == ("access_denied", "st&te")
    assert "code" not in brought


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_page_asks_who_nobody_chose_for(client: Client, provider: str) -> None:
    page = go(client, provider, decision=None)
    assert page.status_code == 200
    assert "하늘" in page.text
    assert 'name="state" value="st&amp;te"' in page.text
    assert "form-action 'self' http://127.0.0.1:9" in page.headers["content-security-policy"]


def test_anybody_can_be_described(client: Client) -> None:
    somebody = {"person": "한 사람", "email": "x@example.com", "verified": "false", "nickname": "n"}
    shown = me(client, "kakao", tokens(client, "kakao", **somebody)["access_token"]).json()
    assert shown["kakao_account"]["is_email_verified"] is False
    again = me(client, "kakao", tokens(client, "kakao", **somebody)["access_token"]).json()
    assert shown["id"] == again["id"]


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    "wrong",
    [
        {"client_id": "somebody else's"},
        {"redirect_uri": "https://evil.example/callback"},
        {"redirect_uri": "http://127.0.0.1:9@evil.example/"},
        {"redirect_uri": "//evil.example"},
        {"redirect_uri": ""},
    ],
)
def test_who_is_not_registered_is_redirected_nowhere(
    client: Client, provider: str, wrong: dict[str, str]
) -> None:
    answer = go(client, provider, **wrong)
    assert answer.status_code == 400
    assert "location" not in answer.headers


@pytest.mark.parametrize("provider", PROVIDERS)
def test_registered_addresses_are_taken_to_the_letter(client: Client, provider: str) -> None:
    app = client.keys["oauth"][provider] | {"redirect_uris": ["https://shop.example/back"]}
    client.control("PUT", "credentials", {"oauth": {provider: app}})
    assert go(client, provider, redirect_uri="https://shop.example/back").status_code == 302
    for other in (BACK, "https://shop.example/back/more", "https://shop.example/back?x=1"):
        assert go(client, provider, redirect_uri=other).status_code == 400


def error_of(answer: httpx.Response) -> str:
    return str(answer.json()["error"])


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_code_is_good_once(client: Client, provider: str) -> None:
    code = said(go(client, provider))["code"]
    assert "access_token" in token(client, provider, code).json()
    assert error_of(token(client, provider, code)) in {"invalid_grant", "invalid_request"}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_code_is_soon_over(client: Client, provider: str) -> None:
    code = said(go(client, provider))["code"]
    client.advance(minutes=10)
    assert error_of(token(client, provider, code)) in {"invalid_grant", "invalid_request"}


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("field", ["client_id", "client_secret", "grant_type"])
def test_only_the_client_s_own_server_gets_a_token(
    client: Client, provider: str, field: str
) -> None:
    code = said(go(client, provider))["code"]
    refused = token(client, provider, code, **{field: "wrong"})
    assert "access_token" not in refused.text
    # Kakao refuses with a status, Naver with words alone.
    assert (refused.status_code == 200) == (provider == "naver")


@pytest.mark.parametrize(
    ("wrong", "code_"),
    [
        ({"redirect_uri": BACK + "/other"}, "KOE303"),
        ({"code_verifier": "w" * 50}, "KOE320"),
        ({"code_verifier": ""}, "KOE320"),
    ],
)
def test_kakao_checks_the_address_and_the_proof(
    client: Client, wrong: dict[str, str], code_: str
) -> None:
    refused = token(client, "kakao", said(go(client, "kakao"))["code"], **wrong)
    assert (refused.status_code, refused.json()["error_code"]) == (400, code_)


def test_kakao_s_id_token_is_signed_and_carries_the_nonce(client: Client) -> None:
    answer = tokens(client, "kakao", person="하늘")
    keys = jwt.PyJWKSet.from_dict(client.http.get("/oauth/kakao/.well-known/jwks.json").json())
    read = jwt.decode_complete(
        answer["id_token"],
        keys[jwt.get_unverified_header(answer["id_token"])["kid"]],
        algorithms=["RS256"],
        audience=client.keys["oauth"]["kakao"]["client_id"],
        issuer=f"{client.http.base_url}".rstrip("/") + "/oauth/kakao",
    )
    assert (read["payload"]["nonce"], read["payload"]["sub"]) == ("n0", "4100000001")


def test_without_openid_there_is_no_id_token(client: Client) -> None:
    assert "id_token" not in tokens(client, "kakao", scope="account_email")


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_unknown_or_old_token_shows_nobody(client: Client, provider: str) -> None:
    access = tokens(client, provider)["access_token"]
    assert me(client, provider, "no token").status_code == 401
    client.advance(hours=6)
    assert me(client, provider, access).status_code == 401
