"""The checkout window in a browser: the SDK scripts, and the buyer's page.

The page changes payments through the same functions as POST /control/pay.
"""

import hmac
from urllib.parse import parse_qsl

import msgspec
from litestar import MediaType, Response, Router, get, post
from litestar.exceptions import NotFoundException, PermissionDeniedException
from litestar.params import FromPath, FromQuery

from portone_sandbox.checkout import sdk_v1, sdk_v2
from portone_sandbox.checkout.choices import action_for, choices_for
from portone_sandbox.checkout.receipts import show_receipt
from portone_sandbox.checkout.sdk_result import sdk_result
from portone_sandbox.checkout.texts import TEXTS
from portone_sandbox.checkout.window import (
    Window,
    find_window,
    new_window,
    redirect_url,
    save_window,
)
from portone_sandbox.core import banks, payment_flow
from portone_sandbox.core.assets import SDKS, STATIC, Asset, render
from portone_sandbox.core.banks import Bank
from portone_sandbox.core.errors import AlreadyPaid, InvalidRequest, PaymentNotFound, Refused
from portone_sandbox.core.fields import Fields
from portone_sandbox.core.journal import explain
from portone_sandbox.core.locale import KST, Language
from portone_sandbox.core.origin import base
from portone_sandbox.core.payments import Failure, Method, Payment, Status
from portone_sandbox.core.request import AnyRequest, SandboxDep
from portone_sandbox.core.state import SandboxState
from portone_sandbox.webhooks.confirmation import confirm

_OPEN_TO_ALL = {"Access-Control-Allow-Origin": "*", "Cache-Control": "no-store"}
_PAID_ELSEWHERE = Failure("이미 결제가 이루어진 거래건입니다.", "ALREADY_PAID", "중복 결제")


@get("/sdk/{name:str}", sync_to_thread=False)
def get_sdk(name: FromPath[str]) -> Response[bytes]:
    """The browser SDKs, for pages of any origin."""
    anywhere = {
        "Access-Control-Allow-Origin": "*",
        "Cross-Origin-Resource-Policy": "cross-origin",
    }
    return _file(SDKS, name, anywhere)


@get("/static/{name:str}", sync_to_thread=False)
def get_static(name: FromPath[str]) -> Response[bytes]:
    """Styles and scripts of the sandbox's own pages."""
    return _file(STATIC, name, {"Cross-Origin-Resource-Policy": "same-origin"})


def _file(files: dict[str, Asset], name: str, headers: dict[str, str]) -> Response[bytes]:
    asset = files.get(name)
    if asset is None:
        raise NotFoundException
    headers |= {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
    return Response(asset.body, media_type=asset.media_type, headers=headers)


@post(["/checkout/v1", "/checkout/v2"], status_code=200)
async def open_window(request: AnyRequest, sandbox: SandboxDep) -> Response[bytes]:
    """Open a window for a page of any origin.

    Responds with the window's address, or with the result if a check failed. The body is JSON sent
    as plain text, which needs no CORS preflight.
    """
    call = await _read_call(request)
    reader = sdk_v1 if request.url.path.endswith("v1") else sdk_v2
    try:
        sdk_request = reader.read_request(sandbox, call, phone=call.flag("phone"))
        window = new_window(sandbox, sdk_request, request.headers.get("origin"))
        with sandbox.store.transaction():
            payment = payment_flow.open_checkout(sandbox, sdk_request.opening)
            save_window(sandbox, payment.tx_id, window)
    except Refused as refusal:
        explain(refusal.message)
        return _json_response({"result": reader.refusal_result(call, refusal)})
    return _json_response(
        {
            "window": f"checkout/{payment.tx_id}",
            "txId": payment.tx_id,
            "token": window.token,
            "style": window.style,
        }
    )


async def _read_call(request: AnyRequest) -> Fields:
    try:
        decoded = msgspec.json.decode(await request.body())
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        decoded = None
    return Fields(decoded if isinstance(decoded, dict) else {})


def _json_response(content: dict[str, object]) -> Response[bytes]:
    body = msgspec.json.encode(content)
    return Response(body, media_type="application/json", headers=_OPEN_TO_ALL)


@get("/checkout/{tx_id:str}")
async def show_window(
    tx_id: FromPath[str], sandbox: SandboxDep, lang: FromQuery[Language | None] = None
) -> Response[str]:
    """The window, or its final page once the buyer is done."""
    payment, window = _find(sandbox, tx_id)
    if lang and lang != window.language:
        window.language = lang
        save_window(sandbox, tx_id, window)
    if _is_open(payment):
        return _show_choices(payment, window, sandbox)
    return _show_end(payment, window, sandbox)


@post("/checkout/{tx_id:str}/act", status_code=200)
async def act(tx_id: FromPath[str], request: AnyRequest, sandbox: SandboxDep) -> Response[str]:
    """Handle the buyer's choice."""
    payment, window = _find(sandbox, tx_id)
    form = await _read_form(request)
    if not hmac.compare_digest(form.get("token", "").encode(), window.token.encode()):
        raise PermissionDeniedException("the form does not come from this window")
    if _is_open(payment):
        refused = await _confirm(sandbox, payment, form)
        payment, window = _find(sandbox, tx_id)  # it may have changed meanwhile
    else:
        refused = None
    if _is_open(payment):
        with sandbox.store.transaction():
            window.quiet = form.get("choice") == "quiet" and form.get("action") != "close"
            save_window(sandbox, tx_id, window)
            _perform(sandbox, payment, form, refused)
    away = _place_to_go(payment, window, sandbox)
    if away:
        return _redirect(away)
    return _redirect(f"{base()}/checkout/{tx_id}")


async def _confirm(sandbox: SandboxState, payment: Payment, form: dict[str, str]) -> Failure | None:
    """Ask the merchant's confirm URL if the buyer wants to pay, and could."""
    if form.get("action") == "close" or action_for(form.get("choice", "")).failure:
        return None
    return await confirm(sandbox, payment)


def _perform(
    sandbox: SandboxState, payment: Payment, form: dict[str, str], refused: Failure | None
) -> None:
    if form.get("action") == "close":
        payment_flow.abandon(sandbox, payment)
        return
    action = action_for(form.get("choice", ""))
    if payment.method is Method.VIRTUAL_ACCOUNT:
        bank = banks.find(form.get("bank", ""))
        payment.bank = bank.name if bank else payment.bank
    try:
        if failure := action.failure or refused:
            payment_flow.decline(sandbox, payment, failure)
        else:
            payment_flow.authenticate(
                sandbox, payment, action.card(payment, form.get("months", ""))
            )
    except AlreadyPaid:
        # Another window of the same order was faster.
        payment_flow.decline(sandbox, payment, _PAID_ELSEWHERE)


@post("/checkout/{tx_id:str}/leave", status_code=200)
async def leave(tx_id: FromPath[str], request: AnyRequest, sandbox: SandboxDep) -> Response[bytes]:
    """The opener's popup was closed: responds with the result so far, or with abandonment."""
    payment, window = _find(sandbox, tx_id)
    token = (await _read_call(request)).text("token") or ""
    if not hmac.compare_digest(token.encode(), window.token.encode()):
        raise PermissionDeniedException("the call does not come from the window's opener")
    if _is_open(payment):
        payment_flow.abandon(sandbox, payment)
    return _json_response(_message(payment, window, sandbox))


def _find(sandbox: SandboxState, tx_id: str) -> tuple[Payment, Window]:
    window = find_window(sandbox, tx_id)
    if window is None:
        raise NotFoundException("no window was opened under this id")
    try:
        return sandbox.get_payment(tx_id), window
    except PaymentNotFound as error:
        raise NotFoundException(error.message) from error


def _is_open(payment: Payment) -> bool:
    begun = payment.window_closed or payment.payment_token is not None
    return payment.status is Status.READY and not begun


async def _read_form(request: AnyRequest) -> dict[str, str]:
    try:
        return dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
    except (UnicodeDecodeError, ValueError) as error:
        raise InvalidRequest("the body is no form") from error


def _place_to_go(payment: Payment, window: Window, sandbox: SandboxState) -> str | None:
    """The shop's own page, once nothing is left to read here."""
    if window.style != "redirect" or window.quiet or payment.account:
        return None
    return redirect_url(window, payment, _result(payment, window, sandbox))


def _result(payment: Payment, window: Window, sandbox: SandboxState) -> dict[str, object]:
    """The result for the shop's page; after the quiet card, that the buyer left."""
    if window.quiet:
        payment = msgspec.structs.replace(
            payment, status=Status.READY, window_closed=True, paid_at=None, pg_tx_id=""
        )
    return sdk_result(payment, sandbox.settings)


def _redirect(place: str) -> Response[str]:
    headers = {"Location": place, "Cache-Control": "no-store"}
    return Response("", status_code=303, headers=headers, media_type=MediaType.TEXT)


def _message(payment: Payment, window: Window, sandbox: SandboxState) -> dict[str, object]:
    """The message to the opener."""
    result = _result(payment, window, sandbox)
    forced = redirect_url(window, payment, result) if window.force_redirect else None
    return {"from": "portone-sandbox", "txId": payment.tx_id, "result": result, "redirect": forced}


def _show_choices(payment: Payment, window: Window, sandbox: SandboxState) -> Response[str]:
    bank = payment.bank or banks.DEFAULT
    return _page(
        "checkout.html",
        payment,
        window,
        sandbox,
        choices=choices_for(payment.method, window.language),
        # The selected bank comes first, where it is visible.
        banks=sorted(_banks_of(payment, sandbox), key=lambda one: one.name != bank),
        bank=bank,
        due_at=payment.account_due_at or sandbox.now() + payment_flow.DEFAULT_DUE,
    )


def _banks_of(payment: Payment, sandbox: SandboxState) -> list[Bank]:
    company = sandbox.settings.company(payment.channel_key)
    return [b for b in banks.BY_NAME.values() if company is None or b.name in company.codes]


def _show_end(payment: Payment, window: Window, sandbox: SandboxState) -> Response[str]:
    message = _message(payment, window, sandbox)
    account = payment.account
    bank = banks.find(account.bank) if account else None
    return _page(
        "checkout_end.html",
        payment,
        window,
        sandbox,
        bank=bank,
        # An account number has to be read first, and the quiet card explained.
        say="pressed" if window.quiet or account else "at once",
        message=msgspec.json.encode(message).decode(),
        away=redirect_url(window, payment, _result(payment, window, sandbox))
        if window.style == "redirect"
        else None,
    )


def _page(
    template: str, payment: Payment, window: Window, sandbox: SandboxState, **more: object
) -> Response[str]:
    company = sandbox.settings.company(payment.channel_key)
    merchant = sandbox.settings.channel(payment.channel_key, payment.version)
    html = render(
        template,
        TEXTS[window.language],
        payment=payment,
        window=window,
        merchant=merchant.pg_id if merchant else "",
        order_name=company.order_name.shown(payment.name) if company else payment.name,
        zone=KST,
        **more,
    )
    headers = {
        "Content-Security-Policy": window.policy,
        "Cache-Control": "no-store",
        # Hide the shop's address; forms still send their origin.
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(html, media_type=MediaType.HTML, headers=headers)


def router() -> Router:
    """Everything a browser needs to pay."""
    return Router(
        path="/",
        route_handlers=[get_sdk, get_static, open_window, show_window, show_receipt, act, leave],
    )
