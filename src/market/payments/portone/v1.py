"""PortOne V1 (formerly I'mport) as our payment gateway."""

import math
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import httpx
import msgspec

from market.payments.cancellation import Cancellation
from market.payments.domain import Payment
from market.payments.ports import Checkout, GatewayRefused, OutcomeUnknown
from market.payments.record import Snapshot, Till
from market.shared.banking import Bank, digits
from market.shared.clock import Clock
from market.shared.errors import GatewayUnavailable
from market.shared.money import Money

from .breaker import Breaker
from .companies import ANY, Company
from .transport import PATIENCE, Transport, asked_back
from .wire_v1 import (
    AttemptsV1,
    Envelope,
    PaymentV1,
    PreparedV1,
    Token,
    major,
    read,
)

T = TypeVar("T")

# A token lives 30 minutes; one with less left than this is not used any more, so that it can't
# die between our check and theirs.
TOKEN_MARGIN_S = 60
LONGEST_NAME = 40
# A buyer's name at a window, and where an account is opened for them.
LONGEST_BUYER = 40
LONGEST_DEPOSITOR = 16
LONGEST_PAGE = 1000
# Whose name a depositor sees, at providers that show one (at most 16 characters).
ACCOUNT_HOLDER = "원티드마켓"

_HTTP_UNAUTHORIZED = 401
_HTTP_NOT_FOUND = 404
_HTTP_SERVER_ERROR = 500


@dataclass(frozen=True, slots=True)
class V1Account:
    """Where V1 is, and who we are there. `notice_url` is where it shall send webhooks, if not
    where its console says; `test` is whether the channel is a test channel; `company` is the
    payment company behind it, and `pg_api_key` KG Inicis's own key for virtual accounts."""

    api_url: str
    key: str
    secret: str
    code: str
    channel_key: str
    sdk_url: str
    test: bool
    notice_url: str | None = None
    company: Company = ANY
    pg_api_key: str | None = None


class PortOneV1:
    """The PaymentGateway that speaks V1."""

    version = "V1"
    repeats_answers = False

    def __init__(
        self,
        account: V1Account,
        client: httpx.AsyncClient,
        clock: Clock,
        timeout: httpx.Timeout = PATIENCE,
    ) -> None:
        # V1's records name no store: keys belong to one.
        self.till = Till(test=account.test)
        self.sdk_url = account.sdk_url
        self.demands = account.company.demands(self.version)
        self._account = account
        breaker = Breaker(self.version, clock)
        self._transport = Transport(client, account.api_url, breaker, timeout)
        self._clock = clock
        self.longest_page = LONGEST_PAGE
        self._token: str | None = None
        self._token_until = 0.0

    async def register(self, payment: Payment) -> None:
        body = {
            "merchant_uid": payment.id,
            "amount": major(payment.amount),
            "currency": payment.amount.currency,
        }
        answer = await self._call(PreparedV1, "POST", "/payments/prepare", json=body)
        if answer.code == 0:
            return
        # Already registered, by an attempt of ours whose answer was lost; or refused. It knows.
        known = await self._call(PreparedV1, "GET", f"/payments/prepare/{payment.id}")
        if known.response is None or known.response.amount != body["amount"]:
            raise GatewayRefused(answer.message or None, payment_id=payment.id)

    def checkout(self, payment: Payment) -> Checkout:
        params: dict[str, Any] = {
            "channelKey": self._account.channel_key,
            "pay_method": "card",
            "merchant_uid": payment.id,
            "name": self._account.company.title(payment.title, LONGEST_NAME),
            "amount": major(payment.amount),
            "currency": payment.amount.currency,
            **self._buyer(payment, LONGEST_BUYER),
        }
        if self._account.notice_url:
            params["notice_url"] = self._account.notice_url
        return Checkout(self.version, self._account.sdk_url, self._account.code, params)

    async def look(self, payment: Payment) -> Sequence[Snapshot]:
        attempts = await self._attempts(payment.order_id)
        known = payment.reference
        if known is not None and all(each.imp_uid != known for each in attempts):
            # A list may leave test channels out; what we know by name is shown all the same.
            one = (await self._one(known)).response
            attempts += [one] if one is not None else []
        return [each.snapshot() for each in attempts]

    async def approve(self, payment: Payment, token: str) -> None:
        raise GatewayRefused("V1 has no manual approval.", payment_id=payment.id)

    async def issue_account(self, payment: Payment, due_at: datetime) -> None:
        body = {
            "channel_key": self._account.channel_key,
            "merchant_uid": payment.id,
            "amount": major(payment.amount),
            "vbank_code": self._bank(payment.bank) if payment.bank else None,
            "vbank_due": int(due_at.timestamp()),
            "vbank_holder": ACCOUNT_HOLDER,
            "name": self._account.company.title(payment.title, LONGEST_NAME),
            "notice_url": self._account.notice_url,
            **self._buyer(payment, LONGEST_DEPOSITOR),
        }
        given = {name: value for name, value in body.items() if value is not None}
        asked = {"json": given, "params": self._key()}
        answer = await self._call(PaymentV1, "POST", "/vbanks", **asked)
        if answer.code != 0:
            raise GatewayRefused(answer.message or None, payment_id=payment.id)

    async def close_account(self, payment: Payment, reference: str) -> None:
        path = f"/vbanks/{reference}"
        answer = await self._call(PaymentV1, "DELETE", path, params=self._key())
        if answer.code != 0:
            raise GatewayRefused(answer.message or None, payment_id=payment.id)

    async def cancel(self, payment: Payment, cancellation: Cancellation) -> None:
        currency = payment.captured.currency if payment.captured else payment.amount.currency
        # safeguard: V1 refunds name the expected balance
        body = {
            "imp_uid": payment.reference,
            "merchant_uid": payment.order_id,
            # Never absent, never 0: either would mean "all of it".
            "amount": major(Money(asked_back(cancellation), currency)),
            # What we believe is left; on any other balance nothing is cancelled.
            "checksum": major(Money(cancellation.balance, currency)),
            "reason": cancellation.reason,
        }
        if cancellation.account is not None:
            body |= {
                "refund_bank": self._bank(cancellation.account.bank),
                "refund_account": digits(cancellation.account.number),
                "refund_holder": cancellation.account.holder,
            }
            if cancellation.account.phone:
                body["refund_tel"] = cancellation.account.phone
        answer = await self._call(PaymentV1, "POST", "/payments/cancel", json=body)
        if answer.code != 0:
            raise GatewayRefused(answer.message or None, payment_id=payment.id)

    async def listed(self, since: datetime, until: datetime) -> AsyncIterator[Snapshot]:
        # `to` is a second that belongs to the window, and `include_sandbox` exists for single
        # lookups alone: whether a list shows test channels is not ours to say.
        window = {"from": math.floor(since.timestamp()), "to": math.ceil(until.timestamp())}
        page: int | None = 1
        while page:
            # Oldest first: what begins while we read is added at the end.
            asked = {**window, "page": page, "limit": self.longest_page, "sorting": "started"}
            answer = await self._call(AttemptsV1, "GET", "/payments/status/all", params=asked)
            if answer.response is None:
                raise GatewayUnavailable(answer.message)
            for attempt in answer.response.list:
                yield attempt.snapshot()
            page = answer.response.next

    def _bank(self, bank: Bank) -> str:
        """As the company calls it. Raises GatewayRefused for one that it does not deal with."""
        try:
            return self._account.company.banks[bank]
        except KeyError as cause:
            raise GatewayRefused(f"The payment company has no accounts at {bank}.") from cause

    def _buyer(self, payment: Payment, longest_name: int) -> dict[str, str]:
        buyer = payment.buyer
        name = self._account.company.person(buyer.name, longest_name) if buyer.name else ""
        told = {"buyer_name": name, "buyer_tel": buyer.phone, "buyer_email": buyer.email}
        return {field: value for field, value in told.items() if value}

    def _key(self) -> dict[str, str]:
        key = self._account.pg_api_key
        return {"pg_api_key": key} if key else {}

    async def _one(self, imp_uid: str) -> Envelope[PaymentV1]:
        # Without include_sandbox, payments of test channels are "not found".
        return await self._call(
            PaymentV1, "GET", f"/payments/{imp_uid}", params={"include_sandbox": "true"}
        )

    async def _attempts(self, order_id: str) -> list[PaymentV1]:
        """Every attempt under a merchant_uid, the newest first; windows opened twice, accounts
        asked for twice. Beyond the first thousand nobody began them in good faith."""
        path = f"/payments/findAll/{order_id}"
        params = {"sorting": "-started", "limit": str(LONGEST_PAGE)}
        answer = await self._call(AttemptsV1, "GET", path, params=params)
        return answer.response.list if answer.response else []

    async def _call(self, type_: type[T], method: str, path: str, **request: Any) -> Envelope[T]:
        """One call with a good token; a token they no longer know is renewed once."""
        response = await self._send(method, path, await self._login(), **request)
        if response.status_code == _HTTP_UNAUTHORIZED:
            self._token = None
            response = await self._send(method, path, await self._login(), **request)
        return _understood(type_, response)

    async def _login(self) -> str:
        now = self._clock.now().timestamp()
        if self._token is None or now >= self._token_until:
            keys = {"imp_key": self._account.key, "imp_secret": self._account.secret}
            response = await self._send("POST", "/users/getToken", None, json=keys)
            if response.status_code == _HTTP_UNAUTHORIZED:
                raise GatewayUnavailable("The payment gateway does not accept our keys.")
            token = _understood(Token, response).response
            if token is None:
                raise GatewayUnavailable
            self._token = token.access_token
            self._token_until = now + token.expired_at - token.now - TOKEN_MARGIN_S
        return self._token

    async def _send(
        self, method: str, path: str, token: str | None, **request: Any
    ) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return await self._transport.send(method, path, headers=headers, **request)


def _understood(type_: type[T], response: httpx.Response) -> Envelope[T]:
    """The answer's envelope; `response` is None for what does not exist."""
    status = response.status_code
    if status >= _HTTP_SERVER_ERROR:
        raise OutcomeUnknown
    try:
        envelope = read(type_, response.content)
    except msgspec.MsgspecError as cause:
        raise OutcomeUnknown from cause
    if status == _HTTP_UNAUTHORIZED:
        raise GatewayUnavailable("The payment gateway does not accept our token.")
    if status == _HTTP_NOT_FOUND:
        envelope.response = None
    return envelope
