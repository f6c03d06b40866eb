"""The page at /: what the gateway knows and sent, with the buttons of a bank and a console.

No script at all; every button is a form that only this page may send.
"""

from collections.abc import Callable
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec
from litestar import MediaType, Response, Router, get, post
from litestar.exceptions import PermissionDeniedException
from litestar.params import FromQuery

from portone_sandbox.control.routes import ClockOrder, turn_clock
from portone_sandbox.core import banks, cancellations, virtual_accounts
from portone_sandbox.core.assets import render
from portone_sandbox.core.cancellations import CancelRequest
from portone_sandbox.core.errors import InvalidRequest, Refused
from portone_sandbox.core.fields import Fields
from portone_sandbox.core.locale import KST, Language
from portone_sandbox.core.payments import Payment
from portone_sandbox.core.request import AnyRequest, TheWorld
from portone_sandbox.core.settings import Settings
from portone_sandbox.core.state import World
from portone_sandbox.core.webhook import V1_STATUS
from portone_sandbox.dashboard.texts import TEXTS
from portone_sandbox.v1.schema import status_word

_PAGE = 30
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self';"
        " base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    # Anything stricter would have browsers say `Origin: null`, and the forms need the truth.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
STEPS = (("10m", 600), ("1h", 3600), ("1d", 86400), ("7d", 604800))


@get("/")
async def show(
    world: TheWorld,
    *,
    lang: FromQuery[Language] = "ko",
    page: FromQuery[int] = 1,
    sends: FromQuery[int] = 1,
    done: FromQuery[str] = "",
    refused: FromQuery[str] = "",
) -> Response[str]:
    """Everything at a glance, the newest first."""
    page, sends = (max(1, min(number, 10**6)) for number in (page, sends))
    payments = world.store.list_newest_payments(_PAGE + 1, (page - 1) * _PAGE)
    webhooks = world.store.list_newest_webhooks(_PAGE + 1, (sends - 1) * _PAGE)
    texts = TEXTS[lang]
    html = render(
        "dashboard.html",
        texts,
        zone=KST,
        now=world.now(),
        offset=world.clock.offset,
        steps=STEPS,
        credentials=world.credentials,
        payments=[_show(world, payment) for payment in payments[:_PAGE]],
        webhooks=webhooks[:_PAGE],
        v1_words=V1_STATUS,
        page=page,
        older=len(payments) > _PAGE,
        sends=sends,
        older_sends=len(webhooks) > _PAGE,
        faults=world.faults.rules,
        settings=_settings(world.settings),
        bank_names={bank.name: bank.korean for bank in banks.BY_NAME.values()},
        done=texts.get(f"done_{done}", ""),
        refused=texts.get(f"refused_{refused}", refused),
    )
    return Response(html, media_type=MediaType.HTML, headers=_HEADERS)


def _show(world: World, payment: Payment) -> dict[str, object]:
    return {
        "it": payment,
        "v1_status": status_word(payment, world.settings),
        "running": [c for c in payment.cancellations if c.status == "REQUESTED"],
    }


def _settings(settings: Settings) -> list[dict[str, object]]:
    """Each setting, its default beside it where it was changed."""
    now = msgspec.to_builtins(settings)
    usual = msgspec.to_builtins(Settings())
    shown = [name for name in now if name != "channels"]
    return [
        {
            "name": name,
            "value": _word(now[name]),
            "usual": _word(usual[name]),
            "changed": now[name] != usual[name],
        }
        for name in shown
    ]


def _word(value: object) -> str:
    return msgspec.json.encode(value).decode().strip('"')


@post("/dashboard/deposit", status_code=200)
async def deposit(request: AnyRequest, world: TheWorld) -> Response[str]:
    """Money arrives at a virtual account."""

    def do(form: Fields) -> None:
        payment = world.get_payment(form.needed_text("tx_id"))
        amount = form.money("amount", payment.currency)
        if payment.account is None or not amount:
            raise InvalidRequest("an account and an amount are needed")
        depositor = form.text("depositor", 40) or "홍길동"
        virtual_accounts.deposit(world, payment.account.number, amount, depositor)

    return await _press(request, do, "deposit")


@post("/dashboard/cancel", status_code=200)
async def cancel(request: AnyRequest, world: TheWorld) -> Response[str]:
    """A cancel in the console."""

    def do(form: Fields) -> None:
        payment = world.get_payment(form.needed_text("tx_id"))
        asked = CancelRequest(
            reason=form.text("reason", 200) or "관리자 콘솔에서 취소",
            trigger="CONSOLE",
            amount=form.money("amount", payment.currency),
        )
        cancellations.cancel(world, payment, asked)

    return await _press(request, do, "cancel")


@post("/dashboard/cancellation", status_code=200)
async def finish_cancellation(request: AnyRequest, world: TheWorld) -> Response[str]:
    """The end of a cancel that was answered REQUESTED."""

    def do(form: Fields) -> None:
        payment = world.get_payment(form.needed_text("tx_id"))
        success = form.text("outcome") == "succeeded"
        cancellations.finish(world, payment, form.text("cancellation_id"), success=success)

    return await _press(request, do, "cancellation")


@post("/dashboard/clock", status_code=200)
async def move_clock(request: AnyRequest, world: TheWorld) -> Response[str]:
    """Move the clock, or set it back to the wall's."""

    def do(form: Fields) -> None:
        seconds = form.integer("seconds")
        back = -world.clock.offset
        turn_clock(world, ClockOrder(advance=back if seconds is None else seconds))

    return await _press(request, do, "clock")


@post("/dashboard/faults/clear", status_code=200)
async def clear_faults(request: AnyRequest, world: TheWorld) -> Response[str]:
    """No faults any more."""
    return await _press(request, lambda _: world.faults.clear(), "faults")


async def _press(request: AnyRequest, do: Callable[[Fields], None], name: str) -> Response[str]:
    """Do what a button says, and show the page with how that went."""
    _require_own_page(request)
    form = Fields(dict(parse_qsl((await request.body()).decode(errors="replace"))))
    try:
        do(form)
    except Refused as refusal:
        return _back(form, refused=refusal.type)
    return _back(form, done=name)


def _require_own_page(request: AnyRequest) -> None:
    """Browsers name the page behind every POST; who names none is no browser at this page."""
    site = request.headers.get("sec-fetch-site", "same-origin")
    origin = urlsplit(request.headers.get("origin", ""))
    if site != "same-origin" or origin.netloc != request.headers.get("host"):
        raise PermissionDeniedException("only this sandbox's own page may send this form")


def _back(form: Fields, **said: str) -> Response[str]:
    """To the page again, so that a reload repeats nothing."""
    language = "en" if form.values.get("lang") == "en" else "ko"
    place = "/?" + urlencode({"lang": language, **said})
    headers = {"Location": place, "Cache-Control": "no-store"}
    return Response("", status_code=303, headers=headers, media_type=MediaType.TEXT)


def router() -> Router:
    """The page and its buttons."""
    return Router(
        path="/",
        route_handlers=[show, deposit, cancel, finish_cancellation, move_clock, clear_faults],
    )
