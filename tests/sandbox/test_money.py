"""Amounts: nothing is lost between major and minor units, and no cancel takes too much."""

from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portone_sandbox.core import cancellations, payment_flow
from portone_sandbox.core.cancellations import CancelRequest
from portone_sandbox.core.errors import InvalidTransition, Refused
from portone_sandbox.core.money import AMOUNT_MAX, exponent, split_vat, to_major, to_minor
from portone_sandbox.core.payment_flow import Opening
from portone_sandbox.core.payments import TRANSITIONS, Payment, Status
from portone_sandbox.core.settings import CancelMode
from portone_sandbox.core.state import SandboxState
from portone_sandbox.core.store import Store

CURRENCIES = st.sampled_from(["KRW", "JPY", "USD", "EUR", "KWD"])


@given(st.integers(0, 10**12), CURRENCIES)
def test_what_is_shown_reads_back_as_the_same(minor: int, currency: str) -> None:
    assert to_minor(to_major(minor, currency), currency) == minor
    assert to_minor(str(to_major(minor, currency)), currency) == minor


@pytest.mark.parametrize(
    "bad", ["", "x", "NaN", "Infinity", "1e400", "0.5", 0.5, True, None, [], AMOUNT_MAX + 1]
)
def test_what_is_no_amount_of_won_is_refused(bad: object) -> None:
    with pytest.raises(ValueError, match=r"number|range|finer"):
        to_minor(bad, "KRW")


@given(st.integers(0, AMOUNT_MAX))
def test_vat_is_an_eleventh(taxable: int) -> None:
    assert abs(Decimal(split_vat(taxable)) - Decimal(taxable) / 11) <= 1
    assert exponent("KRW") == 0


MODES: tuple[CancelMode, ...] = ("sync", "async", "fail")
CANCELS = st.lists(
    st.tuples(
        st.none() | st.integers(1, 1200),
        st.none() | st.integers(0, 500),
        st.none() | st.integers(0, 200),
        st.sampled_from(MODES),
        st.booleans(),
    ),
    max_size=12,
)


@given(st.integers(0, 1000), CANCELS)
def test_no_row_of_cancels_takes_more_than_there_is(
    tax_free: int, wanted: list[tuple[int | None, int | None, int | None, CancelMode, bool]]
) -> None:
    store = Store(":memory:")
    sandbox = SandboxState(store)
    opening = Opening(order_id="order-1", version="V2", amount=1000, tax_free=tax_free)
    payment = payment_flow.approve(sandbox, payment_flow.open_checkout(sandbox, opening))
    for amount, part, vat, mode, success in wanted:
        request = CancelRequest(
            reason="x", trigger="API", amount=amount, tax_free=part, vat=vat, mode=mode
        )
        with suppress(Refused):
            cancellations.cancel(sandbox, payment, request)
        check(payment)
        if success and payment.cancelling:
            cancellations.finish(
                sandbox, payment, None, success=len(payment.cancellations) % 2 == 0
            )
            check(payment)
    store.close()


def check(payment: Payment) -> None:
    """What holds at every moment of a paid payment."""
    assert 0 <= payment.cancelled <= payment.cancelled + payment.cancelling <= payment.amount
    assert 0 <= payment.cancellable_tax_free <= payment.cancellable
    assert payment.cancelled_tax_free <= payment.tax_free
    whole = payment.cancelled == payment.amount
    assert (payment.status is Status.CANCELLED) == whole
    assert (payment.status is Status.PAID) == (payment.cancelled == 0)


@pytest.mark.parametrize("start", Status)
@pytest.mark.parametrize("target", Status)
def test_a_status_moves_only_as_the_table_says(start: Status, target: Status) -> None:
    store = Store(":memory:")
    sandbox = SandboxState(store)
    opening = Opening(order_id="order-1", version="V1", amount=1000)
    payment = payment_flow.open_checkout(sandbox, opening)
    payment.status = start
    if target in TRANSITIONS[start]:
        payment.move(target, sandbox.now())
        assert payment.status is target
    else:
        with pytest.raises(InvalidTransition):
            payment.move(target, sandbox.now())
        assert payment.status is start
    store.close()
