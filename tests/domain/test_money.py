"""Money: whole minor units, never across currencies."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.shared.money import Money


def test_currencies_do_not_mix() -> None:
    with pytest.raises(ValueError, match="USD"):
        Money(1) + Money(1, "USD")
    with pytest.raises(ValueError, match="USD"):
        Money(1) - Money(1, "USD")


@given(st.integers(0, 10**12), st.integers(0, 10_000))
def test_a_share_and_the_rest_are_the_whole(amount: int, basis_points: int) -> None:
    whole = Money(amount)
    share = whole.share(basis_points)
    assert (whole - share) + share == whole
    assert 0 <= share.amount <= amount
    # Rounded down: the share times 10,000 never exceeds what was asked for.
    assert 0 <= amount * basis_points - share.amount * 10_000 < 10_000
