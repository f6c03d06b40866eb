"""What the stand-ins of the social providers share: people, the page, codes and access tokens.

They play the providers as their clients see them: an authorize page, a code that is good once and
soon over, a token, and what it shows of a person. Nothing is asked of anybody.
"""

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode
from datetime import datetime, timedelta
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec
from litestar import MediaType, Response

from portone_sandbox.core.assets import render
from portone_sandbox.core.request import AnyRequest
from portone_sandbox.core.settings import OAuthClient
from portone_sandbox.core.state import World

CODE_LIVES = timedelta(minutes=10)
TOKEN_LIVES = timedelta(hours=6)
_LOCAL = {"127.0.0.1", "localhost", "[::1]"}
_TEXTS = {
    "kakao": {"brand": "Kakao", "title": "카카오 로그인 (모의)", "css": "kakao"},
    "naver": {"brand": "Naver", "title": "네이버 로그인 (모의)", "css": "naver"},
}


class Person(msgspec.Struct):
    """Somebody with an account at the provider. `email` is None where they did not agree to
    show it."""

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
    """What a code or an access token stands for."""

    client_id: str
    person: Person
    until: datetime
    redirect_uri: str = ""
    nonce: str | None = None
    challenge: str | None = None
    openid: bool = False


class Refusal(Exception):
    """An OAuth error (RFC 6749): `error`, words, and the provider's own code."""

    def __init__(self, error: str, words: str, code: str = "", status: int = 400) -> None:
        super().__init__(words)
        self.error, self.words, self.code, self.status = error, words, code, status


def authorize(
    request: AnyRequest, world: World, provider: str, client: OAuthClient
) -> Response[str]:
    """The page where a person chooses who to be; by `person` and `decision` in the query, a
    script chooses.

    A client or address that is not registered is told so here, and never redirected to.
    """
    query = dict(request.query_params.items())
    redirect_uri = query.get("redirect_uri", "")
    if query.get("client_id") != client.client_id:
        return _page_of(provider, "invalid client_id", status=400)
    if not _registered(redirect_uri, client):
        return _page_of(provider, "redirect_uri is not registered", status=400)
    back = {"state": query["state"]} if "state" in query else {}
    if query.get("response_type") != "code":
        error = {"error": "unsupported_response_type", "error_description": "only code"}
        return _go(redirect_uri, back | error)
    match query.get("decision"):
        case "decline":
            declined = {"error": "access_denied", "error_description": "User denied access"}
            return _go(redirect_uri, back | declined)
        case "approve":
            code = _keep(world, "code", _grant(world, query))
            return _go(redirect_uri, {"code": code} | back)
    return _page_of(provider, None, query=query, target=redirect_uri)


def take_code(world: World, client: OAuthClient, form: dict[str, str]) -> Grant:
    """What a code stands for; it is gone then, also when the rest is wrong. Raises Refusal."""
    if form.get("grant_type") != "authorization_code":
        raise Refusal("unsupported_grant_type", "only authorization_code", "KOE318")
    if form.get("client_id") != client.client_id:
        raise Refusal("invalid_client", "Not exist client_id", "KOE101", 401)
    if not hmac.compare_digest(form.get("client_secret", "").encode(), _secret(client)):
        raise Refusal("invalid_client", "Bad client credentials", "KOE010", 401)
    kept = world.store.take_note(_name("code", form.get("code", "")))
    grant = msgspec.json.decode(kept, type=Grant) if kept else None
    if grant is None or grant.until <= world.now():
        raise Refusal("invalid_grant", "authorization code not found", "KOE320")
    return grant


def check_proof(grant: Grant, verifier: str | None) -> None:
    """PKCE, S256 (RFC 7636). Raises Refusal."""
    if grant.challenge is None and verifier is None:
        return
    digest = hashlib.sha256((verifier or "").encode()).digest()
    made = urlsafe_b64encode(digest).rstrip(b"=").decode()
    if not hmac.compare_digest(made, grant.challenge or ""):
        raise Refusal("invalid_grant", "code_verifier does not fit", "KOE320")


def give_token(world: World, grant: Grant) -> str:
    """An access token for what a code stood for."""
    grant.until = world.now() + TOKEN_LIVES
    return _keep(world, "token", grant)


def find_person(world: World, request: AnyRequest) -> Person | None:
    """Whose access token a request bears."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    kept = world.store.get_note(_name("token", token))
    if scheme.lower() != "bearer" or kept is None:
        return None
    grant = msgspec.json.decode(kept, type=Grant)
    return grant.person if grant.until > world.now() else None


async def read_form(request: AnyRequest) -> dict[str, str]:
    """The form of a POST, or a GET's query."""
    if request.method == "GET":
        return dict(request.query_params.items())
    return dict(parse_qsl((await request.body()).decode(errors="replace")))


def _grant(world: World, query: dict[str, str]) -> Grant:
    return Grant(
        client_id=query["client_id"],
        person=_chosen(query),
        until=world.now() + CODE_LIVES,
        redirect_uri=query["redirect_uri"],
        nonce=query.get("nonce"),
        challenge=query.get("code_challenge"),
        openid="openid" in query.get("scope", "").replace(",", " ").split(),
    )


def _chosen(query: dict[str, str]) -> Person:
    """A stand-in by id or nickname, or whoever the query describes."""
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


def _go(redirect_uri: str, values: dict[str, str]) -> Response[str]:
    mark = "&" if urlsplit(redirect_uri).query else "?"
    headers = {"Location": redirect_uri + mark + urlencode(values), "Cache-Control": "no-store"}
    return Response("", status_code=302, headers=headers, media_type=MediaType.TEXT)


def _page_of(
    provider: str,
    trouble: str | None,
    *,
    query: dict[str, str] | None = None,
    target: str = "",
    status: int = 200,
) -> Response[str]:
    asked = [(name, value) for name, value in (query or {}).items() if name not in _ANSWERS]
    html = render(
        "oauth.html",
        _TEXTS[provider],
        trouble=trouble,
        asked=asked,
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


_ANSWERS = {"person", "decision", "nickname", "email", "verified"}


def _keep(world: World, kind: str, grant: Grant) -> str:
    word = secrets.token_urlsafe(32)
    world.store.put_note(_name(kind, word), msgspec.json.encode(grant))
    return word


def _name(kind: str, word: str) -> str:
    return f"oauth_{kind}_{word}"


def _secret(client: OAuthClient) -> bytes:
    return client.client_secret.encode()
