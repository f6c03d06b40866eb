"""A stand-in for Kakao Login with OpenID Connect: below /oauth/kakao, at Kakao's own paths."""

import hashlib

from litestar import Response, Router, get, post

from portone_sandbox.core.request import AnyRequest, SandboxDep
from portone_sandbox.core.state import SandboxState
from portone_sandbox.oauth import provider, signing
from portone_sandbox.oauth.provider import Grant, OAuthError


@get("/oauth/authorize")
async def authorize(request: AnyRequest, sandbox: SandboxDep) -> Response[str]:
    """The login and consent page."""
    return provider.authorize(request, sandbox, "kakao", sandbox.credentials.oauth.kakao)


@post("/oauth/token", status_code=200)
async def token(request: AnyRequest, sandbox: SandboxDep) -> Response[dict[str, object]]:
    """A code for an access token and, with the scope `openid`, an ID token."""
    client, form = sandbox.credentials.oauth.kakao, await provider.read_form(request)
    try:
        grant = provider.redeem_code(sandbox, client, form)
        if form.get("redirect_uri") != grant.redirect_uri:
            raise OAuthError("invalid_grant", "Redirect URI mismatch.", "KOE303")  # noqa: TRY301
        provider.check_code_verifier(grant, form.get("code_verifier"))
    except OAuthError as error:
        body = {"error": error.error, "error_description": error.words, "error_code": error.code}
        return Response(dict[str, object](body), status_code=error.status)
    response: dict[str, object] = {
        "token_type": "bearer",
        "access_token": provider.issue_token(sandbox, grant),
        "expires_in": int(provider.TOKEN_TTL.total_seconds()),
        "scope": "openid account_email profile_nickname" if grant.openid else "account_email",
    }
    if grant.openid:
        response["id_token"] = _id_token(sandbox, _issuer(request), grant)
    return Response(response, headers={"Cache-Control": "no-store"})


@get("/v2/user/me")
async def me(request: AnyRequest, sandbox: SandboxDep) -> Response[dict[str, object]]:
    """The person behind an access token, with what they agreed to show."""
    person = provider.find_person(sandbox, request)
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
    # Kakao's ids are numbers; any other id is mapped to a stable number.
    return Response({"id": _number(person.id), "kakao_account": account})


@get("/.well-known/jwks.json")
async def jwks() -> dict[str, object]:
    """The key that ID tokens are signed with."""
    return {"keys": [signing.public_key()]}


def _id_token(sandbox: SandboxState, issuer: str, grant: Grant) -> str:
    now = int(sandbox.now().timestamp())
    claims: dict[str, object] = {
        "iss": issuer,
        "aud": grant.client_id,
        "sub": str(_number(grant.person.id)),
        "iat": now,
        "auth_time": now,
        "exp": now + int(provider.TOKEN_TTL.total_seconds()),
        "nickname": grant.person.nickname,
    }
    if grant.nonce is not None:
        claims["nonce"] = grant.nonce
    return signing.sign(claims)


def _issuer(request: AnyRequest) -> str:
    """The URL under which the client reaches this stand-in."""
    return f"{request.base_url}".rstrip("/") + "/oauth/kakao"


def _number(id: str) -> int:
    return int(id) if id.isdecimal() else int.from_bytes(hashlib.sha256(id.encode()).digest()[:6])


def router() -> Router:
    """Everything under /oauth/kakao."""
    return Router(path="/oauth/kakao", route_handlers=[authorize, token, me, jwks])
