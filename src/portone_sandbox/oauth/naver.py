"""A stand-in for Naver Login: below /oauth/naver, at Naver's own paths.

Naver supports `state` only: no PKCE, no nonce, and no flag for verified addresses.
"""

from litestar import HttpMethod, Response, Router, get, route

from portone_sandbox.core.request import AnyRequest, SandboxDep
from portone_sandbox.oauth import provider
from portone_sandbox.oauth.provider import OAuthError


@get("/oauth2.0/authorize")
async def authorize(request: AnyRequest, sandbox: SandboxDep) -> Response[str]:
    """The login and consent page."""
    return provider.authorize(request, sandbox, "naver", sandbox.credentials.oauth.naver)


@route("/oauth2.0/token", http_method=[HttpMethod.GET, HttpMethod.POST], status_code=200)
async def token(request: AnyRequest, sandbox: SandboxDep) -> dict[str, str]:
    """A code for an access token. Refusals are answered with status 200, as Naver does."""
    form = await provider.read_form(request)
    try:
        grant = provider.redeem_code(sandbox, sandbox.credentials.oauth.naver, form)
    except OAuthError as refusal:
        words = "no valid data in session" if refusal.error == "invalid_grant" else refusal.words
        error = "invalid_request" if refusal.error == "invalid_grant" else refusal.error
        return {"error": error, "error_description": words}
    return {
        "access_token": provider.issue_token(sandbox, grant),
        "token_type": "bearer",
        "expires_in": str(int(provider.TOKEN_TTL.total_seconds())),
    }


@get("/v1/nid/me")
async def me(request: AnyRequest, sandbox: SandboxDep) -> Response[dict[str, object]]:
    """The person behind an access token, with what they agreed to show."""
    person = provider.find_person(sandbox, request)
    if person is None:
        words = {"resultcode": "024", "message": "Authentication failed"}
        return Response(dict[str, object](words), status_code=401)
    shown = {"id": f"naver-{person.id}", "nickname": person.nickname}
    if person.email is not None:
        shown["email"] = person.email
    return Response({"resultcode": "00", "message": "success", "response": shown})


def router() -> Router:
    """Everything under /oauth/naver."""
    return Router(path="/oauth/naver", route_handlers=[authorize, token, me])
