"""Shared by the stand-ins of the social providers: people, the page, codes and access tokens.

They behave as their clients see them: an authorize page, a single-use code with a short life, an
access token, and the profile behind it. No real provider is contacted.
"""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from datetime import datetime, timedelta
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec
from litestar import MediaType, Response

from portone_sandbox.core.assets import render
from portone_sandbox.core.request import AnyRequest
from portone_sandbox.core.settings import OAuthClient
from portone_sandbox.core.state import SandboxState

CODE_TTL = timedelta(minutes=10)
TOKEN_TTL = timedelta(hours=6)
_LOCAL = {"127.0.0.1", "localhost", "[::1]"}
_TEXTS = {
    "kakao": {"brand": "Kakao", "title": "카카오 로그인 (모의)", "css": "kakao"},
    "naver": {"brand": "Naver", "title": "네이버 로그인 (모의)", "css": "naver"},
}


class Person(msgspec.Struct):
    """A person with an account at the provider. `email` is None without their consent."""

    id: str
    nickname: str
    email: str | None = None
    verified: bool = True


PEOPLE = (
    Person("4100000001", "하늘", "haneul@example.com"),
    Person("4100000002", "바다", "bada@example.com"),
    Person("4100000003", "미확인", "unverified@example.com", verified=False),
    Person("4100000004", "비공개"),
)


class Grant(msgspec.Struct):
    """The consent behind a code or an access token."""

    client_id: str
    person: Person
    until: datetime
    redirect_uri: str = ""
    nonce: str | None = None
    challenge: str | None = None
    openid: bool = False


class OAuthError(Exception):
    """An OAuth error (RFC 6749): `error`, words, and the provider's own code."""

    def __init__(self, error: str, words: str, code: str = "", status: int = 400) -> None:
        super().__init__(words)
        self.error, self.words, self.code, self.status = error, words, code, status


def authorize(
    request: AnyRequest, sandbox: SandboxState, provider: str, client: OAuthClient
) -> Response[str]:
    """The page where a person picks an account; a script picks by `person` and `decision`.

    An unregistered client or redirect_uri gets an error page, and never a redirect.
    """
    query = dict(request.query_params.items())
    redirect_uri = query.get("redirect_uri", "")
    if query.get("client_id") != client.client_id:
        return _page(provider, "invalid client_id", status=400)
    if not _registered(redirect_uri, client):
        return _page(provider, "redirect_uri is not registered", status=400)
    back = {"state": query["state"]} if "state" in query else {}
    if query.get("response_type") != "code":
        error = {"error": "unsupported_response_type", "error_description": "only code"}
        return _redirect(redirect_uri, back | error)
    match query.get("decision"):
        case "decline":
            declined = {"error": "access_denied", "error_description": "User denied access"}
            return _redirect(redirect_uri, back | declined)
        case "approve":
            code = _store_grant(sandbox, "code", _grant(sandbox, query))
            return _redirect(redirect_uri, {"code": code} | back)
    return _page(provider, None, query=query, target=redirect_uri)


def redeem_code(sandbox: SandboxState, client: OAuthClient, form: dict[str, str]) -> Grant:
    """Redeem a code. It is used up even if the rest is wrong. Raises OAuthError."""
    if form.get("grant_type") != "authorization_code":
        raise OAuthError("unsupported_grant_type", "only authorization_code", "KOE318")
    if form.get("client_id") != client.client_id:
        raise OAuthError("invalid_client", "Not exist client_id", "KOE101", 401)
    if not hmac.compare_digest(form.get("client_secret", "").encode(), _secret(client)):
        raise OAuthError("invalid_client", "Bad client credentials", "KOE010", 401)
    stored = sandbox.store.take_note(_note_name("code", form.get("code", "")))
    grant = msgspec.json.decode(stored, type=Grant) if stored else None
    if grant is None or grant.until <= sandbox.now():
        raise OAuthError("invalid_grant", "authorization code not found", "KOE320")
    return grant


def check_code_verifier(grant: Grant, verifier: str | None) -> None:
    """Check PKCE with S256 (RFC 7636). Raises OAuthError."""
    if grant.challenge is None and verifier is None:
        return
    digest = hashlib.sha256((verifier or "").encode()).digest()
    made = urlsafe_b64encode(digest).rstrip(b"=").decode()
    if not hmac.compare_digest(made, grant.challenge or ""):
        raise OAuthError("invalid_grant", "code_verifier does not fit", "KOE320")


def issue_token(sandbox: SandboxState, grant: Grant) -> str:
    """An access token for a redeemed grant."""
    grant.until = sandbox.now() + TOKEN_TTL
    return _store_grant(sandbox, "token", grant)


def find_person(sandbox: SandboxState, request: AnyRequest) -> Person | None:
    """The person behind the access token of a request."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    stored = sandbox.store.get_note(_note_name("token", token))
    if scheme.lower() != "bearer" or stored is None:
        return None
    grant = msgspec.json.decode(stored, type=Grant)
    return grant.person if grant.until > sandbox.now() else None


async def read_form(request: AnyRequest) -> dict[str, str]:
    """The form of a POST, or a GET's query."""
    if request.method == "GET":
        return dict(request.query_params.items())
    return dict(parse_qsl((await request.body()).decode(errors="replace")))


def _grant(sandbox: SandboxState, query: dict[str, str]) -> Grant:
    return Grant(
        client_id=query["client_id"],
        person=_chosen(query),
        until=sandbox.now() + CODE_TTL,
        redirect_uri=query["redirect_uri"],
        nonce=query.get("nonce"),
        challenge=query.get("code_challenge"),
        openid="openid" in query.get("scope", "").replace(",", " ").split(),
    )


def _chosen(query: dict[str, str]) -> Person:
    """A stand-in by id or nickname, or a person described by the query."""
    wanted = query.get("person") or PEOPLE[0].id
    for person in PEOPLE:
        if wanted in (person.id, person.nickname):
            return person
    verified = query.get("verified", "true") != "false"
    email = query.get("email") or None
    return Person(wanted, query.get("nickname") or wanted, email, verified)


def _registered(redirect_uri: str, client: OAuthClient) -> bool:
    if client.redirect_uris:
        return redirect_uri in client.redirect_uris
    try:
        parts = urlsplit(redirect_uri)
        local = parts.netloc.rpartition("@")[2]
        host = local if local.endswith("]") else local.rsplit(":", 1)[0]
    except ValueError:
        return False
    return parts.scheme == "http" and host in _LOCAL and not parts.fragment


def _redirect(redirect_uri: str, values: dict[str, str]) -> Response[str]:
    mark = "&" if urlsplit(redirect_uri).query else "?"
    headers = {"Location": redirect_uri + mark + urlencode(values), "Cache-Control": "no-store"}
    return Response("", status_code=302, headers=headers, media_type=MediaType.TEXT)


def _page(
    provider: str,
    error: str | None,
    *,
    query: dict[str, str] | None = None,
    target: str = "",
    status: int = 200,
) -> Response[str]:
    fields = [(name, value) for name, value in (query or {}).items() if name not in _CHOICE_FIELDS]
    html = render(
        "oauth.html",
        _TEXTS[provider],
        error=error,
        fields=fields,
        people=PEOPLE,
        provider=provider,
    )
    parts = urlsplit(target)
    # Browsers hold form-action against the redirect that answers a form, too.
    forms = f"'self' {parts.scheme}://{parts.netloc}" if parts.netloc else "'none'"
    headers = {
        "Content-Security-Policy": (
            "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none';"
            f" form-action {forms}; frame-ancestors 'none'"
        ),
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(html, status_code=status, media_type=MediaType.HTML, headers=headers)


_CHOICE_FIELDS = {"person", "decision", "nickname", "email", "verified"}


def _store_grant(sandbox: SandboxState, kind: str, grant: Grant) -> str:
    token = sandbox.ids.token(32)
    sandbox.store.put_note(_note_name(kind, token), msgspec.json.encode(grant))
    return token


def _note_name(kind: str, token: str) -> str:
    return f"oauth_{kind}_{token}"


def _secret(client: OAuthClient) -> bytes:
    return client.client_secret.encode()
