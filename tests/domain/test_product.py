"""Products: the status follows the quantity (R9), and who may do what (R11)."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.products.domain import (
    Change,
    NotYourProduct,
    OwnProduct,
    Product,
    ProductStatus,
    QuantityBelowTaken,
    SoldOut,
)
from market.shared.ids import MemberId, ProductId
from market.shared.money import Money
from market.shared.principals import MemberSummary

SELLER = MemberSummary(MemberId("5" * 32), "seller")
BUYER = MemberId("b" * 32)


def product(**differing: Any) -> Product:
    plain = Product.list_new(
        ProductId("a" * 32), SELLER, " chair ", Money(1000), 2, "", datetime.now(UTC)
    )
    return replace(plain, **differing)


@pytest.mark.parametrize(
    ("quantity", "taken", "confirmed", "status"),
    [
        (2, 0, 0, ProductStatus.ON_SALE),
        (2, 1, 1, ProductStatus.ON_SALE),
        (2, 2, 0, ProductStatus.RESERVED),
        (2, 2, 1, ProductStatus.RESERVED),
        (2, 2, 2, ProductStatus.COMPLETED),
    ],
)
def test_the_status_follows_the_counts(
    quantity: int, taken: int, confirmed: int, status: ProductStatus
) -> None:
    assert product(quantity=quantity, taken=taken, confirmed=confirmed).status is status


@given(st.integers(1, 5), st.lists(st.sampled_from(["take", "release", "confirm"]), max_size=40))
def test_no_sequence_of_trades_takes_more_than_there_is(quantity: int, steps: list[str]) -> None:
    item, live = product(quantity=quantity), 0
    for step in steps:
        if step == "take":
            try:
                item.take(BUYER)
                live += 1
            except SoldOut:
                assert item.remaining == 0
        elif live:
            live -= 1
            item.release() if step == "release" else item.confirm_unit()
        assert 0 <= item.confirmed <= item.taken <= item.quantity
        assert item.taken == live + item.confirmed


def test_a_unit_is_taken_at_the_current_price() -> None:
    item = product()
    offer = item.take(BUYER)
    item.change(SELLER.id, Change(price=2000))
    assert (offer.price, offer.product_name, offer.seller) == (Money(1000), "chair", SELLER)


def test_a_seller_cannot_buy_their_own() -> None:
    item = product()
    with pytest.raises(OwnProduct):
        item.take(SELLER.id)
    assert item.remaining == 2


def test_only_the_seller_may_edit() -> None:
    with pytest.raises(NotYourProduct):
        product().change(BUYER, Change(name="mine now"))


def test_the_quantity_cannot_fall_below_what_is_taken() -> None:
    item = product(taken=2)
    with pytest.raises(QuantityBelowTaken):
        item.change(SELLER.id, Change(quantity=1, name="x"))
    assert (item.quantity, item.name) == (2, "chair")


def test_more_units_put_a_completed_product_on_sale_again() -> None:
    item = product(taken=2, confirmed=2)
    item.change(SELLER.id, Change(quantity=3, description="one more"))
    assert (item.status, item.description) == (ProductStatus.ON_SALE, "one more")
