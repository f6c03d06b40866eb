"""The payment companies behind PortOne's channels: what each must be told, and how it wants it.

A setting names the company of a channel (PORTONE_V1_COMPANY, PORTONE_V2_COMPANY). Without one,
texts are made to fit every company that PortOne's pages describe, but for those that know no
emoji (KSNET, Kiwoom), and nothing is demanded.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import regex

from market.payments.buyer import BuyerField
from market.payments.demands import Demands
from market.payments.domain import Method
from market.shared.banking import Bank
from market.shared.text import plain

# What a text says when nothing of it is left.
_GOODS = "상품"
_NOBODY_NAMED = "구매자"


def _utf_8(text: str) -> int:
    return len(text.encode())


def _euc_kr(text: str) -> int:
    """Raises UnicodeEncodeError."""
    return len(text.encode("euc-kr"))


@dataclass(frozen=True, slots=True)
class Texts:
    """What a company takes as a text: at most so much by its own measure, without some signs."""

    most: int
    measure: Callable[[str], int] = len
    without: str = ""

    def fit(self, text: str, otherwise: str, characters: int | None = None) -> str:
        """As much of it as the company takes, at most so many characters, of whole letters and
        pictures; `otherwise` where nothing is left."""
        signs = str.maketrans(dict.fromkeys(self.without, " "))
        kept = "".join(filter(self._takes, regex.findall(r"\X", plain(text).translate(signs))))
        fitted = ""
        for letter in regex.findall(r"\X", " ".join(kept.split())):
            longer = fitted + letter
            if self.measure(longer) > self.most or len(longer) > (characters or len(longer)):
                break
            fitted = longer
        return fitted.rstrip() or otherwise

    def _takes(self, letter: str) -> bool:
        try:
            self.measure(letter)
        except UnicodeEncodeError:
            return False
        return True


_STANDARD: Mapping[Bank, str] = {bank: bank.code for bank in Bank}
_TWO_DIGITS: Mapping[Bank, str] = {bank: code[1:] for bank, code in _STANDARD.items()}


def _only(*codes: str) -> Mapping[Bank, str]:
    return {bank: code for bank, code in _STANDARD.items() if code in codes}


def _buyer(card: str = "", account: str = "") -> Mapping[Method, frozenset[BuyerField]]:
    return {
        Method.CARD: frozenset(map(BuyerField, card.split())),
        Method.VIRTUAL_ACCOUNT: frozenset(map(BuyerField, account.split())),
    }


@dataclass(frozen=True, slots=True)
class Company:
    """One company. `banks` are those it opens accounts at and refunds to, by its own codes, which
    V1 wants; `by_v1_api` is whether V1 can have accounts opened without a window. `refund_phone` is
    whether a refund needs its holder's phone number."""

    order_name: Texts
    buyer_name: Texts = field(default=Texts(30, _utf_8))
    buyer: Mapping[Method, frozenset[BuyerField]] = field(default_factory=dict)
    banks: Mapping[Bank, str] = field(default_factory=lambda: _STANDARD)
    by_v1_api: bool = True
    refund_phone: bool = False

    def demands(self, version: str) -> Demands:
        """What our port tells of it to those who ask a buyer."""
        banks = frozenset(self.banks)
        opens = version != "V1" or self.by_v1_api
        return Demands(self.buyer, banks if opens else frozenset(), banks, self.refund_phone)

    def title(self, text: str, characters: int | None = None) -> str:
        """An order's name."""
        return self.order_name.fit(text, _GOODS, characters)

    def person(self, text: str, characters: int | None = None) -> str:
        """A buyer's name."""
        return self.buyer_name.fit(text, _NOBODY_NAMED, characters)


# Shortest measure, and every sign that one of them refuses.
ANY = Company(Texts(40, _utf_8, "%&|$-+=[]\\,"))

COMPANIES: Mapping[str, Company] = {
    # Its PC window needs all three; the mobile one asks the buyer. It cuts what is longer, and
    # may cut a letter in two.
    "inicis": Company(
        Texts(40, _utf_8),
        buyer=_buyer("name phone email", "name email"),
        banks=_TWO_DIGITS,
    ),
    "nice": Company(
        Texts(40, _utf_8, "%&|$-+=[]"),
        banks=_only(
            *("003", "004", "011", "020", "023", "031", "032", "034", "071", "081", "088", "089")
        ),
    ),
    "tosspayments": Company(Texts(100), Texts(100), buyer=_buyer(account="name")),
    "tosspay": Company(Texts(255, len, "\\,"), by_v1_api=False),
    "kcp": Company(
        Texts(100, _utf_8),
        Texts(30),
        banks={bank: f"BK{code}" for bank, code in _TWO_DIGITS.items()},
        by_v1_api=False,
    ),
    "ksnet": Company(Texts(50, _euc_kr), Texts(50, _euc_kr), buyer=_buyer("name", "name")),
    "smartro": Company(
        Texts(40, _utf_8),
        Texts(30),
        buyer=_buyer("phone", "name phone email"),
        # Its test merchant has no accounts at the others.
        banks={
            bank: code
            for bank, code in _STANDARD.items()
            if bank not in {Bank.K_BANK, Bank.KOOKMIN, Bank.JEONBUK, Bank.KWANGJU, Bank.DAEGU}
        },
        refund_phone=True,
    ),
    "welcome": Company(
        Texts(40, _utf_8),
        buyer=_buyer("name phone email", "name"),
        banks=_only(
            *("003", "004", "007", "020", "031", "032", "034", "037", "039", "081", "088", "089")
        ),
    ),
    "kiwoom": Company(
        Texts(100, _euc_kr),
        Texts(30, _euc_kr),
        banks={
            Bank.IBK: "03",
            Bank.KOOKMIN: "04",
            Bank.NONGHYUP: "08",
            Bank.WOORI: "09",
            Bank.SHINHAN: "10",
            Bank.STANDARD_CHARTERED: "11",
            Bank.HANA: "12",
            Bank.BUSAN: "15",
            Bank.POST: "31",
        },
        by_v1_api=False,
    ),
}


def named(name: str | None) -> Company:
    """The company of a channel; ANY where none is named. Raises KeyError for one not known."""
    return COMPANIES[name] if name else ANY
