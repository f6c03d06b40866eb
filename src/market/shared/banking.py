"""Banks and accounts: where a buyer deposits, and where a refund goes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Self

from .text import line, narrow

# As people write it: in any width, with hyphens, dots or blanks between the digits. No line end
# behind the last digit, which Python's $ would let pass.
_BETWEEN = r"[ \u00a0\u2000-\u200a\u3000.\u00b7\uff0e\-\u2010-\u2015\u2212\uff0d]*"
ACCOUNT_NUMBER = rf"{_BETWEEN}(?:[0-9\uff10-\uff19]{_BETWEEN}){{6,20}}"
HOLDER_LENGTH_MAX = 50


class Bank(StrEnum):
    """Korean banks by PortOne V2's names."""

    KDB = "KDB"
    IBK = "IBK"
    KOOKMIN = "KOOKMIN"
    SUHYUP = "SUHYUP"
    NONGHYUP = "NONGHYUP"
    LOCAL_NONGHYUP = "LOCAL_NONGHYUP"
    WOORI = "WOORI"
    STANDARD_CHARTERED = "STANDARD_CHARTERED"
    CITI = "CITI"
    DAEGU = "DAEGU"
    BUSAN = "BUSAN"
    KWANGJU = "KWANGJU"
    JEONBUK = "JEONBUK"
    KYONGNAM = "KYONGNAM"
    KFCC = "KFCC"
    SHINHYUP = "SHINHYUP"
    POST = "POST"
    HANA = "HANA"
    SHINHAN = "SHINHAN"
    K_BANK = "K_BANK"
    KAKAO = "KAKAO"
    TOSS = "TOSS"

    @property
    def code(self) -> str:
        """The standard three digits, which PortOne V1 takes for most providers."""
        return _CODES[self]

    @classmethod
    def named(cls, text: str) -> "Bank | None":
        """By name or by code."""
        return _BY_WORD.get(text.strip().upper())


_CODES: Mapping[Bank, str] = {
    Bank.KDB: "002",
    Bank.IBK: "003",
    Bank.KOOKMIN: "004",
    Bank.SUHYUP: "007",
    Bank.NONGHYUP: "011",
    Bank.LOCAL_NONGHYUP: "012",
    Bank.WOORI: "020",
    Bank.STANDARD_CHARTERED: "023",
    Bank.CITI: "027",
    Bank.DAEGU: "031",
    Bank.BUSAN: "032",
    Bank.KWANGJU: "034",
    Bank.JEONBUK: "037",
    Bank.KYONGNAM: "039",
    Bank.KFCC: "045",
    Bank.SHINHYUP: "048",
    Bank.POST: "071",
    Bank.HANA: "081",
    Bank.SHINHAN: "088",
    Bank.K_BANK: "089",
    Bank.KAKAO: "090",
    Bank.TOSS: "092",
}
_BY_WORD = {bank.value: bank for bank in Bank} | {code: bank for bank, code in _CODES.items()}


@dataclass(frozen=True, slots=True)
class VirtualAccount:
    """An account made for one payment: whoever deposits there until `due_at` pays it (P6).

    `bank` is the gateway's word for it, which may be one we don't know.
    """

    bank: str
    number: str
    holder: str | None
    due_at: datetime


def digits(number: str) -> str:
    """An account's number as banks' machines take it."""
    return "".join(sign for sign in narrow(number) if sign.isdigit())


@dataclass(frozen=True, slots=True)
class RefundAccount:
    """A buyer's own account. It is kept sealed, only as long as a refund needs it, and never
    printed: not even by mistake."""

    bank: Bank
    number: str = field(repr=False)
    holder: str = field(repr=False)
    phone: str | None = field(default=None, repr=False)

    @classmethod
    def read(cls, bank: Bank, number: str, holder: str, phone: str | None = None) -> Self:
        """As somebody wrote it: of the number, digits alone are kept; it was checked against
        ACCOUNT_NUMBER. `phone` is the holder's, in digits."""
        return cls(bank, digits(number), line(holder), phone)
