"""What every HTTP edge shares: the signed-in caller, idempotent POSTs, pages, ids in paths."""

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable, Collection
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from litestar import Request, Response
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.exceptions import ClientException, InternalServerException
from litestar.params import HeaderParameter, QueryParameter
from litestar.types import HTTPScope
from msgspec import Meta, Struct

from market.shared.banking import ACCOUNT_NUMBER, HOLDER_LENGTH_MAX, Bank, RefundAccount
from market.shared.errors import Invalid, NotFound, Unauthenticated
from market.shared.ids import well_formed
from market.shared.pagination import Page, PageRequest
from market.shared.phone import phone_number
from market.shared.principals import Principal
from market.shared.text import BIDI, clean

from .client_ip import ClientIpResolver
from .idempotency import EncodedResponse, ExecutionMode, Idempotency, IdempotencyKey
from .problems import PROBLEM_JSON, BodyInvalid

# The largest body takes a second on a slow line. Who needs longer only holds a connection.
BODY_TIMEOUT_S = 15.0
PHONE_LENGTH_MAX = 30
_UTF_8 = ("", "charset=utf-8")
_ETAG = re.compile(r'(?:W/)?"([0-9]{1,10})"', re.ASCII)
# No control characters, line ends or marks that turn the direction of what follows: a nickname or
# a name must look like what it is, in a page, a shell and a gateway's window alike.
_ODD = rf"\u0000-\u001f\u007f-\u009f\u2028\u2029{BIDI}"
SINGLE_LINE = rf"^[^{_ODD}]*[^\s{_ODD}][^{_ODD}]*$"
# Secrets are compared as they were typed, never as they look.
_SECRETS = frozenset({"password", "current_password", "new_password"})


class StrictJsonRequest(Request[Any, Any, State]):
    """Reads a JSON body as exactly what its handler takes: Litestar by itself would let "1000"
    pass for 1000, and text of any kind for JSON."""

    body_timeout_s = BODY_TIMEOUT_S

    async def body(self) -> bytes:
        """The whole body, if it comes within `body_timeout_s` seconds; 408 if not."""
        try:
            async with asyncio.timeout(self.body_timeout_s):
                return await super().body()
        except TimeoutError as slow:
            raise ClientException("The body took too long to come.", status_code=408) from slow
        except InternalServerException as gone:  # no fault of ours, and nobody waits for the answer
            raise ClientException("The body ended too soon.") from gone

    async def json(self) -> Any:
        # A page of another site can post text and forms here with its visitor's cookies, but not
        # JSON, which browsers ask about first (CORS).
        kind, _, charset = self.headers.get("content-type", "").lower().partition(";")
        if kind.strip() != "application/json" or charset.strip().replace('"', "") not in _UTF_8:
            raise ClientException("This takes application/json in UTF-8.", status_code=415)
        if "content-encoding" in self.headers:
            raise ClientException("This takes a body as it is, not compressed.", status_code=415)
        wanted = self.route_handler.parsed_fn_signature.parameters["data"].annotation
        try:
            # msgspec lets bytes through that are no UTF-8; decoding first does not.
            return msgspec.json.decode(_as_seen((await self.body()).decode()), type=wanted)
        except msgspec.ValidationError as wrong:
            what, _, where = str(wrong).partition(" - at ")
            field = where.strip("`").removeprefix("$").removeprefix(".")
            raise BodyInvalid([{"field": field, "detail": what}]) from wrong
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as malformed:
            raise BodyInvalid([]) from malformed


def _as_seen(body: str) -> str | bytes:
    """JSON with every text in it as it is kept (A7), so that what is checked next is what is seen.
    Raises msgspec.DecodeError."""
    if body.isascii() and "\\u" not in body:
        return body
    return msgspec.json.encode(_cleaned(msgspec.json.decode(body)))


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [_cleaned(item) for item in value]
    if isinstance(value, dict):
        return {name: item if name in _SECRETS else _cleaned(item) for name, item in value.items()}
    return value


AppRequest = Request[Principal | None, Any, State]
# What it stands at is for members alone (R1): the document says so, and so does Authentication.
BEARER: list[dict[str, list[str]]] = [{"BearerToken": []}]

Out = TypeVar("Out", bound=Struct)
Item = TypeVar("Item")

# Of a list: what a page holds unless another number is asked for, and at most.
PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX = 20, 100
LimitParam = Annotated[
    int, QueryParameter(ge=1, le=PAGE_SIZE_MAX, description="at most so many items")
]
CursorParam = Annotated[
    str | None, QueryParameter(description="the next_cursor of the page before; opaque")
]
KeyParam = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        required=False,
        description="the same key and body get the first answer again",
    ),
]


IfMatchParam = Annotated[
    str | None,
    HeaderParameter(
        name="If-Match",
        required=False,
        description="the ETag it was read with: refused (412) when it was edited since",
    ),
]


class PageOut(Struct, Generic[Item]):
    """One page of a list, newest first; `next_cursor` is null on the last."""

    items: list[Item]
    next_cursor: str | None


def page_response(page: Page[Any], show: Callable[[Any], Item]) -> PageOut[Item]:
    return PageOut([show(item) for item in page.items], page.next_cursor)


def page_request(limit: int, cursor: str | None) -> PageRequest:
    """The part of a list a client asks for. A cursor we never gave starts nowhere: no items."""
    return PageRequest(limit, cursor if cursor is None or well_formed(cursor) else "0" * 32)


class AccountIn(Struct):
    """Somebody's own bank account; `bank` by PortOne's name or by its three digits."""

    bank: Annotated[str, Meta(min_length=1, max_length=20, examples=["KOOKMIN"])]
    # Python's $ would let a line end pass behind the last digit.
    number: Annotated[str, Meta(pattern=rf"^{ACCOUNT_NUMBER}$(?!\n)", examples=["110-123-456789"])]
    holder: Annotated[str, Meta(pattern=SINGLE_LINE, min_length=1, max_length=HOLDER_LENGTH_MAX)]
    phone: Annotated[str, Meta(max_length=PHONE_LENGTH_MAX, examples=["010-1234-5678"])] | None = (
        None
    )

    def read(self) -> RefundAccount:
        """Raises Invalid for a bank we don't know, or what is no phone number."""
        phone = parse_phone(self.phone) if self.phone else None
        return RefundAccount.read(parse_bank(self.bank), self.number, self.holder, phone)


def parse_phone(text: str) -> str:
    """Raises Invalid."""
    phone = phone_number(text)
    if phone is None:
        raise Invalid("This is no phone number.")
    return phone


def parse_bank(text: str) -> Bank:
    """Raises Invalid."""
    bank = Bank.named(text)
    if bank is None:
        raise Invalid("There is no such bank here.", banks=", ".join(Bank))
    return bank


def etag(revision: int) -> str:
    """Names a revision to clients."""
    return f'"{revision}"'


def revisions(if_match: str | None) -> Collection[int] | None:
    """Those that an If-Match names; None when it is missing, or any will do.

    What a proxy that compresses has made of a tag of ours (W/) still names it. What is no tag of
    ours names none.
    """
    if if_match is None or if_match.strip() == "*":
        return None
    tags = (_ETAG.fullmatch(tag.strip()) for tag in if_match.split(","))
    return {int(tag[1]) for tag in tags if tag}


def wants_page(request: Request[Any, Any, State]) -> bool:
    """Whether it is a person in a browser who asks, rather than a program."""
    return "text/html" in request.headers.get("accept", "")


def path_id(text: str) -> str:
    """An id as it came in a path. What can't be one of ours is simply not found."""
    if not well_formed(text):
        raise NotFound
    return text


async def provide_caller(request: AppRequest) -> Principal:
    """The signed-in member, for routes that ask for one (BEARER)."""
    return require_principal(request)


async def provide_client_address(
    request: AppRequest, client_ips: NamedDependency[ClientIpResolver]
) -> str:
    """Where the request comes from, past the proxies that are trusted."""
    return client_ips.rate_limit_key(request)


class IdempotentHandler:
    """Runs a POST's work once per Idempotency-Key; without a key, simply runs it."""

    def __init__(self, idempotency: Idempotency, key: IdempotencyKey | None) -> None:
        self._idempotency = idempotency
        self._key = key

    @property
    def operation_id(self) -> str | None:
        """An id that repeats of this request share, and nothing else has; None without a key.

        What a key leads to may outlive its process, while the answer was not kept yet: work that
        calls the gateway can name its effect by this, and so find it again.
        """
        return self._key.operation_id if self._key else None

    async def __call__(
        self,
        work: Callable[[], Awaitable[Out]],
        *,
        status: int | Callable[[Out], int] = 200,
        mode: ExecutionMode = ExecutionMode.ONE_TRANSACTION,
    ) -> Response[Out]:
        """The work's result as a response of `status`, or the first answer to this key."""

        async def done() -> EncodedResponse:
            out = await work()
            code = status if isinstance(status, int) else status(out)
            return EncodedResponse(code, msgspec.json.encode(out))

        if self._key is None:
            return to_response(await done())
        return to_response(await self._idempotency.answer(self._key, mode, done))


async def provide_idempotent(
    request: AppRequest, idempotency: NamedDependency[Idempotency]
) -> IdempotentHandler:
    return IdempotentHandler(idempotency, await parse_key(request))


async def parse_key(request: AppRequest) -> IdempotencyKey | None:
    """The request's Idempotency-Key, with who sent it and what for. Raises Invalid."""
    text = request.headers.get("idempotency-key")
    if text is None:
        return None
    return build_key(text, request.scope, await request.body(), request.scope.get("user"))


def build_key(text: str, scope: HTTPScope, body: bytes, caller: Principal | None) -> IdempotencyKey:
    """A key as it was sent, with who sent it and what for. Raises Invalid."""
    # safeguard: fingerprint covers the path
    fingerprint = hashlib.sha256(f"{scope['method']} {scope['path']}\n".encode() + body)
    # Strangers are told apart by what they ask for: one's key must not stand in another's way.
    owner = caller.id if caller else f"anyone {fingerprint.hexdigest()}"
    return IdempotencyKey(owner, text, fingerprint.digest())


def require_principal(request: AppRequest) -> Principal:
    """The member behind a request. Raises Unauthenticated."""
    if request.user is None:
        raise Unauthenticated
    return request.user


def to_response(answer: EncodedResponse) -> Response[Any]:
    """An answer that is JSON already, as a response."""
    return Response(
        answer.body,
        status_code=answer.status,
        media_type=PROBLEM_JSON if answer.problem else "application/json",
        headers=answer.headers,
    )


# What a handler asks for: the member behind the request, the keeper of its Idempotency-Key, and
# the client's address.
SignedIn = NamedDependency[Principal]
Idempotent = NamedDependency[IdempotentHandler]
ClientAddress = NamedDependency[str]
