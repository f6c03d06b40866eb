"""The page at /: payments and webhooks, with the buttons of a bank and a console.

It has no script; every button is a form that only this page may submit.
"""

from collections.abc import Callable
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import msgspec
from litestar import MediaType, Response, Router, get, post
from litestar.exceptions import PermissionDeniedException
from litestar.params import FromQuery

from portone_sandbox.control.inventory import list_operations
from portone_sandbox.control.routes import ClockRequest, process_due, set_clock
from portone_sandbox.core import banks, cancellations, virtual_accounts
from portone_sandbox.core.assets import render
from portone_sandbox.core.cancellations import CancelRequest
from portone_sandbox.core.errors import InvalidRequest, Refused
from portone_sandbox.core.fields import Fields
from portone_sandbox.core.locale import KST, Language
from portone_sandbox.core.origin import base
from portone_sandbox.core.payments import Payment
from portone_sandbox.core.request import AnyRequest, SandboxDep, StoresDep
from portone_sandbox.core.settings import Settings
from portone_sandbox.core.state import SandboxState
from portone_sandbox.core.webhook import V1_STATUS
from portone_sandbox.dashboard.texts import TEXTS
from portone_sandbox.v1.schema import v1_status

_PAGE = 30
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self';"
        " base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    # A stricter policy makes browsers send `Origin: null`, and the forms need the real origin.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
STEPS = (("10m", 600), ("1h", 3600), ("1d", 86400), ("7d", 604800))


@get("/")
async def show(
    sandbox: SandboxDep,
    stores: StoresDep,
    request: AnyRequest,
    *,
    lang: FromQuery[Language] = "ko",
    page: FromQuery[int] = 1,
    sends: FromQuery[int] = 1,
    calls: FromQuery[bool] = False,
    done: FromQuery[str] = "",
    refused: FromQuery[str] = "",
) -> Response[str]:
    """The dashboard, newest entries first."""
    page, sends = (max(1, min(number, 10**6)) for number in (page, sends))
    payments = sandbox.store.list_newest_payments(_PAGE + 1, (page - 1) * _PAGE)
    webhooks = sandbox.store.list_newest_webhooks(_PAGE + 1, (sends - 1) * _PAGE)
    texts = TEXTS[lang]
    html = render(
        "dashboard.html",
        texts,
        zone=KST,
        store=sandbox.name,
        stores=[(name, f"/stores/{quote(name, safe='')}/") for name in stores.names()],
        now=sandbox.now(),
        offset=sandbox.clock.offset,
        frozen=sandbox.clock.frozen,
        steps=STEPS,
        credentials=sandbox.credentials,
        payments=[_show(sandbox, payment) for payment in payments[:_PAGE]],
        webhooks=webhooks[:_PAGE],
        v1_words=V1_STATUS,
        page=page,
        older=len(payments) > _PAGE,
        sends=sends,
        older_sends=len(webhooks) > _PAGE,
        faults=sandbox.faults.rules,
        calls=sandbox.journal.find(remarkable=not calls, limit=_PAGE),
        all_calls=calls,
        settings=_settings(sandbox.settings),
        operations=list_operations(request.app),
        bank_names={bank.name: bank.korean for bank in banks.BY_NAME.values()},
        done=texts.get(f"done_{done}", ""),
        refused=texts.get(f"refused_{refused}", refused),
    )
    return Response(html, media_type=MediaType.HTML, headers=_HEADERS)


def _show(sandbox: SandboxState, payment: Payment) -> dict[str, object]:
    refund = payment.account_refund
    return {
        "it": payment,
        "v1_status": v1_status(payment, sandbox.settings),
        "refund": refund.status_at(sandbox.now()) if refund else None,
        "running": [c for c in payment.cancellations if c.status == "REQUESTED"],
    }


def _settings(settings: Settings) -> list[dict[str, object]]:
    """Each setting with its default, marked if changed."""
    now = msgspec.to_builtins(settings)
    default = msgspec.to_builtins(Settings())
    shown = [name for name in now if name != "channels"]
    return [
        {
            "name": name,
            "value": _word(now[name]),
            "default": _word(default[name]),
            "changed": now[name] != default[name],
        }
        for name in shown
    ]


def _word(value: object) -> str:
    return msgspec.json.encode(value).decode().strip('"')


@post("/dashboard/deposit", status_code=200)
async def deposit(request: AnyRequest, sandbox: SandboxDep) -> Response[str]:
    """Deposit into a virtual account."""

    def action(form: Fields) -> None:
        payment = sandbox.get_payment(form.required_text("tx_id"))
        amount = form.money("amount", payment.currency)
        if payment.account is None or not amount:
            raise InvalidRequest("an account and an amount are needed")
        depositor = form.text("depositor", 40) or "홍길동"
        virtual_accounts.deposit(sandbox, payment.account.number, amount, depositor)

    return await _submit(request, action, "deposit")


@post("/dashboard/cancel", status_code=200)
async def cancel(request: AnyRequest, sandbox: SandboxDep) -> Response[str]:
    """Cancel in the console."""

    def action(form: Fields) -> None:
        payment = sandbox.get_payment(form.required_text("tx_id"))
        cancellation = CancelRequest(
            reason=form.text("reason", 200) or "관리자 콘솔에서 취소",
            trigger="CONSOLE",
            amount=form.money("amount", payment.currency),
        )
        cancellations.cancel(sandbox, payment, cancellation)

    return await _submit(request, action, "cancel")


@post("/dashboard/cancellation", status_code=200)
async def finish_cancellation(request: AnyRequest, sandbox: SandboxDep) -> Response[str]:
    """Finish a cancellation that is REQUESTED."""

    def action(form: Fields) -> None:
        payment = sandbox.get_payment(form.required_text("tx_id"))
        success = form.text("outcome") == "succeeded"
        cancellations.finish(sandbox, payment, form.text("cancellation_id"), success=success)

    return await _submit(request, action, "cancellation")


@post("/dashboard/refund", status_code=200)
async def finish_refund(request: AnyRequest, sandbox: SandboxDep) -> Response[str]:
    """End the transfer into the buyer's account."""

    def action(form: Fields) -> None:
        payment = sandbox.get_payment(form.required_text("tx_id"))
        failed = form.text("outcome") == "failed"
        cancellations.finish_refund(sandbox, payment, "FAILED" if failed else "COMPLETED")

    return await _submit(request, action, "refund")


@post("/dashboard/clock", status_code=200)
async def move_clock(request: AnyRequest, sandbox: SandboxDep) -> Response[str]:
    """Move, stop or start the clock, or reset it."""

    def action(form: Fields) -> None:
        seconds, freeze = form.integer("seconds"), form.text("freeze")
        if freeze is not None:
            set_clock(sandbox, ClockRequest(freeze=freeze == "true"))
        elif seconds is not None:
            set_clock(sandbox, ClockRequest(advance_seconds=seconds))
        else:
            sandbox.clock.reset()
            process_due(sandbox)

    return await _submit(request, action, "clock")


@post("/dashboard/faults/clear", status_code=200)
async def clear_faults(request: AnyRequest, sandbox: SandboxDep) -> Response[str]:
    """Remove every fault rule."""
    return await _submit(request, lambda _: sandbox.faults.clear(), "faults")


async def _submit(
    request: AnyRequest, action: Callable[[Fields], None], name: str
) -> Response[str]:
    """Perform a button's action, and show its outcome on the page."""
    _require_own_page(request)
    form = Fields(dict(parse_qsl((await request.body()).decode(errors="replace"))))
    try:
        action(form)
    except Refused as refusal:
        return _redirect_back(form, refused=refusal.type)
    return _redirect_back(form, done=name)


def _require_own_page(request: AnyRequest) -> None:
    """Browsers send the origin of every POST; a request without one is not from this page."""
    site = request.headers.get("sec-fetch-site", "same-origin")
    origin = urlsplit(request.headers.get("origin", ""))
    if site != "same-origin" or origin.netloc != request.headers.get("host"):
        raise PermissionDeniedException("only this sandbox's own page may send this form")


def _redirect_back(form: Fields, **said: str) -> Response[str]:
    """Redirect to the page, so that a reload repeats nothing."""
    language = "en" if form.value("lang") == "en" else "ko"
    place = base() + "/?" + urlencode({"lang": language, **said})
    headers = {"Location": place, "Cache-Control": "no-store"}
    return Response("", status_code=303, headers=headers, media_type=MediaType.TEXT)


def router() -> Router:
    """The page and its buttons."""
    return Router(
        path="/",
        route_handlers=[
            show,
            deposit,
            cancel,
            finish_cancellation,
            finish_refund,
            move_clock,
            clear_faults,
        ],
    )
