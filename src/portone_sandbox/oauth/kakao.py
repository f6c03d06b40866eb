"""A stand-in for Kakao Login with OpenID Connect: below /oauth/kakao, at Kakao's own paths."""

import hashlib

from litestar import Response, Router, get, post

from portone_sandbox.core.request import AnyRequest, TheWorld
from portone_sandbox.core.state import World
from portone_sandbox.oauth import provider, signing
from portone_sandbox.oauth.provider import Grant, Refusal


@get("/oauth/authorize")
async def authorize(request: AnyRequest, world: TheWorld) -> Response[str]:
    """The login and consent page."""
    return provider.authorize(request, world, "kakao", world.credentials.oauth.kakao)


@post("/oauth/token", status_code=200)
async def token(request: AnyRequest, world: TheWorld) -> Response[dict[str, object]]:
    """A code for an access token and, with the scope `openid`, an ID token."""
    client, form = world.credentials.oauth.kakao, await provider.read_form(request)
    try:
        grant = provider.take_code(world, client, form)
        if form.get("redirect_uri") != grant.redirect_uri:
            raise Refusal("invalid_grant", "Redirect URI mismatch.", "KOE303")  # noqa: TRY301
        provider.check_proof(grant, form.get("code_verifier"))
    except Refusal as no:
        body = {"error": no.error, "error_description": no.words, "error_code": no.code}
        return Response(dict[str, object](body), status_code=no.status)
    answer: dict[str, object] = {
        "token_type": "bearer",
        "access_token": provider.give_token(world, grant),
        "expires_in": int(provider.TOKEN_LIVES.total_seconds()),
        "scope": "openid account_email profile_nickname" if grant.openid else "account_email",
    }
    if grant.openid:
        answer["id_token"] = _id_token(world, _issuer(request), grant)
    return Response(answer, headers={"Cache-Control": "no-store"})


@get("/v2/user/me")
async def me(request: AnyRequest, world: TheWorld) -> Response[dict[str, object]]:
    """The person behind an access token, with what they agreed to show."""
    person = provider.find_person(world, request)
    if person is None:
        words = {"msg": "this access token does not exist", "code": -401}
        return Response(dict[str, object](words), status_code=401)
    account: dict[str, object] = {
        "profile": {"nickname": person.nickname},
        "has_email": person.email is not None,
    }
    if person.email is not None:
        account |= {
            "is_email_valid": True,
            "is_email_verified": person.verified,
            "email": person.email,
        }
    # Kakao counts its members; a name of your own becomes a number, always the same.
    return Response({"id": _number(person.id), "kakao_account": account})


@get("/.well-known/jwks.json")
async def jwks() -> dict[str, object]:
    """The key that ID tokens are signed with."""
    return {"keys": [signing.public_key()]}


def _id_token(world: World, issuer: str, grant: Grant) -> str:
    now = int(world.now().timestamp())
    claims: dict[str, object] = {
        "iss": issuer,
        "aud": grant.client_id,
        "sub": str(_number(grant.person.id)),
        "iat": now,
        "auth_time": now,
        "exp": now + int(provider.TOKEN_LIVES.total_seconds()),
        "nickname": grant.person.nickname,
    }
    if grant.nonce is not None:
        claims["nonce"] = grant.nonce
    return signing.sign(claims)


def _issuer(request: AnyRequest) -> str:
    """Where this stand-in is, as its client calls it."""
    return f"{request.base_url}".rstrip("/") + "/oauth/kakao"


def _number(id: str) -> int:
    return int(id) if id.isdecimal() else int.from_bytes(hashlib.sha256(id.encode()).digest()[:6])


def router() -> Router:
    """Everything under /oauth/kakao."""
    return Router(path="/oauth/kakao", route_handlers=[authorize, token, me, jwks])
