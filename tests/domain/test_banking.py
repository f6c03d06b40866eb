"""A bank account's number is read as people write it, and kept as digits."""

import re

import pytest

from market.shared.banking import ACCOUNT_NUMBER, Bank, RefundAccount


@pytest.mark.parametrize(
    "written",
    [
        *("110123456789", "110-123-456789", "110 123 456789", " 110-123-456789 "),
        *("１１０－１２３－４５６７８９", "110–123—456789", "110‑123‐456789", "110.123.456789"),
        *("110\u00a0123\u3000456789", "110·123·456789", "110−123−456789"),
    ],
)
def test_separators_blanks_and_widths_make_no_other_account(written: str) -> None:
    assert re.fullmatch(ACCOUNT_NUMBER, written)
    account = RefundAccount.read(Bank.SHINHAN, written, " 김\u200b보라 ")
    assert (account.number, account.holder) == ("110123456789", "김보라")
    assert "110" not in repr(account)
