"""PortOne V2 as our payment gateway."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
import msgspec
import structlog

from market.payments.buyer import NOBODY, Buyer
from market.payments.cancellation import Cancellation
from market.payments.domain import Payment
from market.payments.ports import Checkout, GatewayRefused, OutcomeUnknown
from market.payments.record import Snapshot, Till
from market.shared.banking import digits
from market.shared.clock import Clock
from market.shared.errors import GatewayUnavailable

from .breaker import Breaker
from .companies import ANY, Company
from .transport import PATIENCE, Transport, asked_back
from .wire_v2 import (
    REFUSALS,
    CancelledV2,
    ErrorV2,
    Nothing,
    PaymentsV2,
    PaymentV2,
    TransactionsV2,
    read,
)

T = TypeVar("T")
_log = structlog.get_logger()

LONGEST_PAGE = 100
# PortOne lists (number + 1) × size payments at most.
MOST_LISTED = 60_000
SHORTEST_WINDOW = timedelta(seconds=1)
# Whose name a depositor sees, at providers that show one.
ACCOUNT_HOLDER = "원티드마켓"

_HTTP_OK = 200
_HTTP_UNAUTHORIZED = 401
_HTTP_FORBIDDEN = 403


@dataclass(frozen=True, slots=True)
class V2Account:
    """Where V2 is, and who we are there. `test` is whether the channel is a test channel;
    `notice_url` is where it shall send webhooks, if not where its console says; `company` is the
    payment company behind the channel."""

    api_url: str
    secret: str
    store_id: str
    channel_key: str
    sdk_url: str
    test: bool
    notice_url: str | None = None
    company: Company = ANY


class NewForm(OutcomeUnknown):
    message = "The payment gateway answered with JSON in an unknown form."


class PortOneV2:
    """The PaymentGateway that speaks V2.

    The API secret is sent as it is. The token pair that can be had for it would add what V1's
    token adds, an end in the middle of the work, and V2's document now shows the secret alone.
    """

    version = "V2"
    repeats_answers = True  # by Idempotency-Key

    def __init__(
        self,
        account: V2Account,
        client: httpx.AsyncClient,
        clock: Clock,
        timeout: httpx.Timeout = PATIENCE,
    ) -> None:
        self.till = Till(account.store_id, account.test)
        self.sdk_url = account.sdk_url
        self.demands = account.company.demands(self.version)
        self._account = account
        breaker = Breaker(self.version, clock)
        self._transport = Transport(client, account.api_url, breaker, timeout, _refuses)
        self.longest_page = LONGEST_PAGE
        self.most_listed = MOST_LISTED

    async def register(self, payment: Payment) -> None:
        # No key: to register the same once more changes nothing.
        body = {
            "storeId": self._account.store_id,
            "totalAmount": payment.amount.amount,
            "currency": payment.amount.currency,
        }
        await self._call(Nothing, "POST", payment, "/pre-register", json=body)

    def checkout(self, payment: Payment) -> Checkout:
        params: dict[str, Any] = {
            "storeId": self._account.store_id,
            "channelKey": self._account.channel_key,
            "paymentId": payment.id,
            "orderName": self._account.company.title(payment.title),
            "totalAmount": payment.amount.amount,
            "currency": payment.amount.currency,
            "payMethod": payment.method.value,
        }
        if (buyer := payment.buyer) != NOBODY:
            told = {
                "fullName": self._name(buyer),
                "phoneNumber": buyer.phone,
                "email": buyer.email,
            }
            params["customer"] = {name: value for name, value in told.items() if value}
        if self._account.notice_url:
            params["noticeUrls"] = [self._account.notice_url]
        return Checkout(self.version, self._account.sdk_url, self._account.store_id, params)

    async def look(self, payment: Payment) -> Sequence[Snapshot]:
        try:
            deciding = (await self._record(payment)).snapshot()
        except GatewayRefused as refusal:
            if refusal.context.get("type") == "PAYMENT_NOT_FOUND":
                return []
            raise GatewayUnavailable from refusal
        # The payment alone shows one attempt of several.
        others = await self._transactions(payment)
        return [deciding, *(each for each in others if each.reference != deciding.reference)]

    async def approve(self, payment: Payment, token: str) -> None:
        # The checks are optional and advised: on any other amount nothing is charged.
        body = {
            "storeId": self._account.store_id,
            "paymentToken": token,
            "totalAmount": payment.amount.amount,
            "currency": payment.amount.currency,
            "isTest": self._account.test,
        }
        wish = sha256(token.encode()).hexdigest()[:16]
        headers = {"Idempotency-Key": f'"approval-{payment.id}-{wish}-{payment.answers}"'}
        await self._call(Nothing, "POST", payment, "/confirm", json=body, headers=headers)

    async def issue_account(self, payment: Payment, due_at: datetime) -> None:
        account = {
            "bank": payment.bank,
            "expiry": {"dueDate": due_at.isoformat()},
            "option": {"type": "NORMAL"},
            "remitteeName": ACCOUNT_HOLDER,
        }
        body: dict[str, Any] = {
            "storeId": self._account.store_id,
            "channelKey": self._account.channel_key,
            "method": {"virtualAccount": account},
            "orderName": self._account.company.title(payment.title),
            # KSNET must be told; it is what members sell each other.
            "productType": "PHYSICAL",
            "amount": {"total": payment.amount.amount},
            "currency": payment.amount.currency,
            # Required by the document; what need not be told need not be kept there.
            "customer": self._customer(payment.buyer),
        }
        if self._account.notice_url:
            body["noticeUrls"] = [self._account.notice_url]
        # One account per payment of ours: who asks again after a lost answer gets that answer. A no
        # is kept as long as a yes, so a call after one needs a key of its own.
        headers = {"Idempotency-Key": f'"account-{payment.id}-{payment.answers}"'}
        await self._call(Nothing, "POST", payment, "/instant", json=body, headers=headers)

    def _name(self, buyer: Buyer) -> str:
        return self._account.company.person(buyer.name) if buyer.name else ""

    def _customer(self, buyer: Buyer) -> dict[str, Any]:
        """As calls from server to server want it; the window takes a flat one."""
        name = self._name(buyer)
        told = {
            "name": {"full": name} if name else None,
            "phoneNumber": buyer.phone,
            "email": buyer.email,
        }
        return {field: value for field, value in told.items() if value}

    async def close_account(self, payment: Payment, reference: str) -> None:
        # Of one payment's attempts V2 closes the one it goes by: it takes no other name.
        store = {"storeId": self._account.store_id}
        step = "/virtual-account/close"
        await self._call(Nothing, "POST", payment, step, params=store)

    async def cancel(self, payment: Payment, cancellation: Cancellation) -> None:
        if payment.order is not None:
            # V2 takes no name of an attempt: it might send back what paid the trade.
            raise GatewayRefused(
                "One of two attempts goes back in PortOne's console alone.", payment_id=payment.id
            )
        # safeguard: V2 refunds name the expected balance
        body: dict[str, Any] = {
            "storeId": self._account.store_id,
            "amount": asked_back(cancellation),
            # What we believe is left; on any other balance nothing is cancelled.
            "currentCancellableAmount": cancellation.balance,
            "reason": cancellation.reason,
        }
        if cancellation.account is not None:
            body["refundAccount"] = {
                "bank": cancellation.account.bank,
                "number": digits(cancellation.account.number),
                "holderName": cancellation.account.holder,
            }
            if cancellation.account.phone:
                body["refundAccount"]["holderPhoneNumber"] = cancellation.account.phone
        # safeguard: V2 refunds carry an idempotency key
        headers = {"Idempotency-Key": _key(cancellation)}
        answer = await self._call(
            CancelledV2, "POST", payment, "/cancel", json=body, headers=headers
        )
        # REQUESTED is done later by the payment company: the record will show it.
        if answer.cancellation.status == "FAILED":
            raise GatewayRefused(payment_id=payment.id)

    async def listed(self, since: datetime, until: datetime) -> AsyncIterator[Snapshot]:
        first = await self._page(since, until, 0)
        if first.page.total_count > self.most_listed and until - since > SHORTEST_WINDOW:
            # Beyond that many no page is given: ask for less time at once.
            middle = since + (until - since) / 2
            for start, end in ((since, middle), (middle, until)):
                async for snapshot in self.listed(start, end):
                    yield snapshot
            return
        page, number, listed = first, 0, 0
        while page.items:
            for item in page.items:
                yield item.snapshot()
            listed += len(page.items)
            if listed >= page.page.total_count:
                return
            number += 1
            page = await self._page(since, until, number)

    async def _page(self, since: datetime, until: datetime, number: int) -> PaymentsV2:
        asked = {
            "page": {"number": number, "size": self.longest_page},
            "filter": {
                "storeId": self._account.store_id,
                "version": self.version,
                # By the last change, so that a refund today of an old payment is listed too.
                "timestampType": "STATUS_CHANGED_AT",
                "from": since.isoformat(),
                "until": until.isoformat(),
                "sortBy": "STATUS_CHANGED_AT",
                "sortOrder": "ASC",
            },
        }
        query = {"requestBody": msgspec.json.encode(asked).decode()}
        credential = {"Authorization": f"PortOne {self._account.secret}"}
        answer = await self._transport.send("GET", "/payments", headers=credential, params=query)
        if answer.status_code != _HTTP_OK:
            raise _refused_at_the_door(answer.status_code) or GatewayUnavailable()
        try:
            return read(PaymentsV2, answer.content)
        except msgspec.MsgspecError as cause:
            raise GatewayUnavailable from cause

    async def _record(self, payment: Payment) -> PaymentV2:
        store = {"storeId": self._account.store_id}
        return await self._call(PaymentV2, "GET", payment, params=store)

    async def _transactions(self, payment: Payment) -> Sequence[Snapshot]:
        """Every attempt at the payment. PortOne calls this list unstable: in a form that is new, or
        refused, it tells nothing, and the payment's own record has to do."""
        store = {"storeId": self._account.store_id}
        try:
            found = await self._call(TransactionsV2, "GET", payment, "/transactions", params=store)
        except (GatewayRefused, NewForm) as trouble:
            _log.warning("attempts_unread", payment_id=payment.order_id, trouble=repr(trouble))
            return []
        return [each.snapshot() for each in found.items]

    async def _call(
        self,
        type_: type[T],
        method: str,
        payment: Payment,
        step: str = "",
        headers: dict[str, str] | None = None,
        **request: Any,
    ) -> T:
        """One call about one payment. Raises GatewayRefused with the error's `type`."""
        credential = {"Authorization": f"PortOne {self._account.secret}"}
        path = f"/payments/{quote(payment.order_id, safe='')}{step}"
        headers = credential | (headers or {})
        response = await self._transport.send(method, path, headers=headers, **request)
        try:
            if response.status_code == _HTTP_OK:
                return read(type_, response.content)
            error = read(ErrorV2, response.content)
        except msgspec.MsgspecError as cause:
            known = isinstance(cause, msgspec.ValidationError)
            trouble = NewForm() if known else OutcomeUnknown()
            raise _refused_at_the_door(response.status_code) or trouble from cause
        raise _meaning(response.status_code, error, payment)


def _key(cancellation: Cancellation) -> str:
    """The Idempotency-Key of one wish: its repeats get the old answer instead of a second refund.

    Different requests must not share a key, so one that was rebalanced, that goes to another
    account, or that comes after a no, which is kept as long as a yes, is another wish. An
    RFC 8941 string: in double quotes, 16 to 256 ASCII characters.
    """
    wish = f"cancellation-{cancellation.id}-{cancellation.amount}-of-{cancellation.balance}"
    if cancellation.answers:
        wish += f"-after-{cancellation.answers}"
    if (to := cancellation.account) is not None:
        whose = f"{cancellation.id} {to.bank} {to.number} {to.holder}"
        wish += f"-to-{sha256(whose.encode()).hexdigest()[:16]}"
    return f'"{wish}"'


def _meaning(status: int, error: ErrorV2, payment: Payment) -> Exception:
    door = _refused_at_the_door(status)
    if door is not None:
        return door
    if error.type in REFUSALS:
        return GatewayRefused(error.why(), payment_id=payment.id, type=error.type)
    # IDEMPOTENCY_OUTSTANDING_REQUEST among them: the first of two calls still runs.
    return OutcomeUnknown()


def _refuses(response: httpx.Response) -> bool:
    """Whether a server error is a refusal: PG_PROVIDER is the payment company's no, sent as 502."""
    try:
        return read(ErrorV2, response.content).type in REFUSALS
    except msgspec.MsgspecError:
        return False


def _refused_at_the_door(status: int) -> GatewayUnavailable | None:
    """Our keys or store are wrong: nothing happened, and nothing will until someone mends them."""
    if status == _HTTP_UNAUTHORIZED:
        return GatewayUnavailable("The payment gateway does not accept our secret.")
    if status == _HTTP_FORBIDDEN:
        return GatewayUnavailable("The payment gateway does not let us into this store.")
    return None
