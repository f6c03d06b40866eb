"""Receipts: the pages behind V1's receipt_url and V2's receiptUrl."""

from litestar import MediaType, Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, FromQuery

from portone_sandbox.checkout.texts import TEXTS
from portone_sandbox.core.assets import render
from portone_sandbox.core.locale import KST, Language
from portone_sandbox.core.request import SandboxDep

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}


@get(
    [
        "/checkout/{tx_id:str}/receipt",
        "/checkout/{tx_id:str}/receipt/{cancellation_id:str}",
    ]
)
async def show_receipt(
    tx_id: FromPath[str],
    sandbox: SandboxDep,
    cancellation_id: FromPath[str | None] = None,
    lang: FromQuery[Language] = "ko",
) -> Response[str]:
    """The receipt of a payment, or of one of its cancellations."""
    payment = sandbox.store.find_payment(tx_id)
    if payment is None or not payment.was_paid:
        raise NotFoundException("nothing was paid under this id")
    done = {c.id: c for c in payment.cancellations if c.status == "SUCCEEDED"}
    if cancellation_id is not None and cancellation_id not in done:
        raise NotFoundException("the payment has no such cancellation")
    html = render(
        "receipt.html",
        TEXTS[lang],
        payment=payment,
        cancellation=done.get(cancellation_id or ""),
        zone=KST,
    )
    return Response(html, media_type=MediaType.HTML, headers=_HEADERS)
