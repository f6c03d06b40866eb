"""One checkout window: its opener, its style, and the destination of its result."""

import re
from datetime import UTC, datetime, timedelta
from typing import Literal
from urllib.parse import urlencode, urlsplit

import msgspec

from portone_sandbox.core.errors import (
    AlreadyPaid,
    AmountNotAsRegistered,
    ChannelNotFound,
    CompanyRefused,
    InvalidRequest,
    NotPlayed,
    Refused,
)
from portone_sandbox.core.locale import KST, Language
from portone_sandbox.core.payment_flow import Opening
from portone_sandbox.core.payments import Payment
from portone_sandbox.core.state import SandboxState
from portone_sandbox.core.urls import check_url

Style = Literal["frame", "popup", "redirect"]
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.\-\[\]:]+")
_SCHEME = re.compile(r"[a-z][a-z0-9+.\-]*")
# Schemes that would run in the window's own origin, or that no merchant serves.
_NO_PLACES = frozenset({"about", "blob", "data", "file", "filesystem", "javascript", "vbscript"})
_URL_LENGTH_MAX = 2000
_DAY, _HOUR, _MINUTE, _SECOND = 8, 10, 12, 14  # digits of YYYYMMDD, …HH, …mm, …ss


class StoreNotFound(Refused):
    """No store has this id."""

    type = "STORE_NOT_FOUND"


# The V2 SDK's failure codes. V1 publishes none for checks before a window: it gets the same.
_CODES: dict[type[Refused], str] = {
    AlreadyPaid: "PaymentAlreadyPaid",
    AmountNotAsRegistered: "AmountNotEqualToPredefined",
    ChannelNotFound: "ChannelNotFound",
    InvalidRequest: "RequestParseFailed",
    StoreNotFound: "StoreNotFound",
    CompanyRefused: "PGProviderError",
    # The sandbox's own: PortOne plays everything.
    NotPlayed: "NotPlayed",
}
_MESSAGES = {
    "PaymentAlreadyPaid": "이미 결제가 이루어진 거래건입니다.",
    "AmountNotEqualToPredefined": "결제 금액이 사전 등록된 금액과 일치하지 않습니다.",
    "ChannelNotFound": "채널 정보를 찾을 수 없습니다.",
    "InvalidEntityState": "같은 주문으로 더는 결제를 시도할 수 없습니다.",
}


class SdkRequest(msgspec.Struct, kw_only=True):
    """A browser SDK's call, in one shape for both versions."""

    opening: Opening
    style: Style = "frame"
    redirect_url: str | None = None
    force_redirect: bool = False
    language: Language = "ko"


class Window(msgspec.Struct, kw_only=True):
    """The stored state of a window, beside its payment.

    `origin` is the origin that receives the result; "null" is a page without one (a local file).
    Only the page and its opener know `token`; a form without it is rejected.
    """

    token: str
    origin: str
    style: Style
    redirect_url: str | None = None
    force_redirect: bool = False
    language: Language = "ko"
    quiet: bool = False

    @property
    def target(self) -> str:
        """The target origin of the result message."""
        return "*" if self.origin == "null" else self.origin

    @property
    def policy(self) -> str:
        """The content security policy of the window's pages."""
        leave = "'self'"
        if self.redirect_url:
            # Chromium counts every redirect after a form as the form's own target, and a shop
            # may send its buyer on to anywhere.
            scheme = urlsplit(self.redirect_url).scheme
            leave += " http: https:" + ("" if scheme in ("http", "https") else f" {scheme}:")
        # A popup that the browser blocks becomes a frame.
        embedder = "'none'" if self.style == "redirect" else self.target
        return (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
            f" base-uri 'none'; form-action {leave}; frame-ancestors {embedder}"
        )


def new_window(sandbox: SandboxState, sdk_request: SdkRequest, origin: str | None) -> Window:
    """A window for `asked`, opened by a page of `origin`."""
    return Window(
        token=sandbox.ids.token(24),
        origin=origin if origin and _ORIGIN.fullmatch(origin) else "null",
        style=sdk_request.style,
        redirect_url=sdk_request.redirect_url,
        force_redirect=sdk_request.force_redirect,
        language=sdk_request.language,
    )


def save_window(sandbox: SandboxState, tx_id: str, window: Window) -> None:
    """Store a window; like its payment, it survives a restart."""
    sandbox.store.put_note(f"window_{tx_id}", msgspec.json.encode(window))


def find_window(sandbox: SandboxState, tx_id: str) -> Window | None:
    """The window of an attempt; None if no browser opened it."""
    kept = sandbox.store.get_note(f"window_{tx_id}")
    return None if kept is None else msgspec.json.decode(kept, type=Window)


def read_redirect(url: str | None) -> str | None:
    """Validate the URL the buyer returns to; raises InvalidRequest."""
    if not url:
        return None
    scheme = urlsplit(url).scheme.lower()
    bad = len(url) > _URL_LENGTH_MAX or not url.isprintable() or " " in url
    if bad or not _SCHEME.fullmatch(scheme) or scheme in _NO_PLACES:
        raise InvalidRequest("the redirect URL must be absolute, and lead to a page or an app")
    return url


def read_confirm_url(url: str | None) -> str | None:
    """Validate the URL that is asked before a payment is approved; raises InvalidRequest."""
    if not url:
        return None
    try:
        check_url(url)
    except ValueError as error:
        raise InvalidRequest(f"the confirm URL: {error}") from error
    return url


def read_due(text: str | None, now: datetime) -> datetime | None:
    """A deadline as YYYYMMDD[HH[mm[ss]]], dashes, colons and spaces ignored, in Korean time.

    A day alone lasts to its end. Raises InvalidRequest, also when the time has passed.
    """
    if text is None:
        return None
    digits = re.sub(r"[-:. T]", "", text)
    patterns = {_DAY: "%Y%m%d", _HOUR: "%Y%m%d%H", _MINUTE: "%Y%m%d%H%M", _SECOND: "%Y%m%d%H%M%S"}
    try:
        due_at = datetime.strptime(digits, patterns[len(digits)]).replace(tzinfo=KST)
    except (KeyError, ValueError) as error:
        raise InvalidRequest("the deadline is no date such as 20301231 or 2030-12-31") from error
    if len(digits) == _DAY:
        due_at += timedelta(days=1, seconds=-1)
    if due_at <= now:
        raise InvalidRequest("the deadline has passed")
    return due_at.astimezone(UTC)


def failure_code(refusal: Refused) -> tuple[str, str]:
    """The SDK's code and message if no window opens."""
    code = _CODES.get(type(refusal), "InvalidEntityState")
    # A refusal that says more than its kind keeps its words.
    general = refusal.message == refusal.default_message
    return code, _MESSAGES.get(code, refusal.message) if general else refusal.message


def redirect_url(window: Window, payment: Payment, result: dict[str, object]) -> str | None:
    """The URL that carries the result back to the shop, if the window has one."""
    if window.redirect_url is None:
        return None
    return add_to_query(window.redirect_url, _query(payment.version, result))


def add_to_query(url: str, values: dict[str, str]) -> str:
    """`url` with more query fields; its own query and fragment stay."""
    parts = urlsplit(url)
    query = "&".join(part for part in (parts.query, urlencode(values)) if part)
    return parts._replace(query=query).geturl()


def _query(version: str, result: dict[str, object]) -> dict[str, str]:
    if version == "V2":
        return {name: str(value) for name, value in result.items() if value is not None}
    shown = {
        "imp_uid": result["imp_uid"],
        "merchant_uid": result["merchant_uid"],
        "imp_success": "true" if result["success"] else "false",
        "error_code": result["error_code"],
        "error_msg": result["error_msg"],
    }
    return {name: str(value) for name, value in shown.items() if value is not None}
