"""The payment companies behind PortOne: what each demands of an order, an account and a refund.

A channel belongs to no company unless Settings.companies names one, and then demands nothing. The
demands are those of PortOne's developer pages and SDK schema; the texts of refusals are the
sandbox's own, except where those pages quote one.
"""

import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from portone_sandbox.core import banks
from portone_sandbox.core.banks import Bank
from portone_sandbox.core.errors import CompanyRefused
from portone_sandbox.core.payments import Buyer, Version

CompanyName = Literal[
    "inicis", "nice", "tosspayments", "tosspay", "kcp", "ksnet", "smartro", "welcome", "kiwoom"
]
Device = Literal["pc", "mobile", "api"]
BuyerField = Literal["name", "phone", "email"]
# A text's length is counted in characters, or in bytes of an encoding.
Unit = Literal["characters", "utf-8", "euc-kr"]

_BUYER: dict[BuyerField, str] = {
    "name": "구매자 이름(buyer_name, customer.fullName)",
    "phone": "구매자 연락처(buyer_tel, customer.phoneNumber)",
    "email": "구매자 이메일(buyer_email, customer.email)",
}
_UNITS: dict[Unit, str] = {"characters": "자", "utf-8": "바이트", "euc-kr": "바이트(EUC-KR)"}
_CUT_MARK = "..."
_STANDARD: dict[str, str] = {bank.name: bank.code for bank in banks.BY_NAME.values()}


@dataclass(frozen=True)
class TextLimit:
    """How long a text may be, and which characters it may not contain.

    A text that is too long is refused, or else cut, where the company does so.
    """

    length_max: int | None = None
    unit: Unit = "characters"
    forbidden: str = ""
    cut: bool = False

    def problem(self, text: str) -> str | None:
        """Why the company refuses `text`; None if it accepts it."""
        bad = "".join(sorted(set(self.forbidden) & set(text)))
        if bad:
            return f"사용할 수 없는 문자가 있습니다: {bad}"
        try:
            length = self._length(text)
        except UnicodeEncodeError as error:
            return f"EUC-KR로 표현할 수 없는 문자가 있습니다: {text[error.start]}"
        if self.length_max is None or length <= self.length_max or self.cut:
            return None
        unit = _UNITS[self.unit]
        return f"최대 {self.length_max}{unit}까지 입력할 수 있습니다 (입력: {length}{unit})"

    def shown(self, text: str) -> str:
        """The text as the company's window shows it."""
        if not self.cut or self.length_max is None or self._length(text) <= self.length_max:
            return text
        # The company cuts bytes, and may cut a character in two.
        kept = text.encode()[: self.length_max - len(_CUT_MARK)]
        return kept.decode(errors="replace") + _CUT_MARK

    def _length(self, text: str) -> int:
        if self.unit == "characters":
            return len(text)
        return len(text.encode(self.unit))


@dataclass(frozen=True)
class AccountRules:
    """What a company demands for a virtual account, and for V1's /vbanks in particular."""

    due_required: bool = False
    by_v1_api: bool = True
    api_key_required: bool = False
    holder_required: bool = False
    buyer_required: frozenset[BuyerField] = frozenset()
    refund_phone_required: bool = False
    # Refunds are confirmed later, by a message of the company's.
    refunds_later: bool = False


@dataclass(frozen=True)
class Company:
    """One payment company."""

    title: str
    provider_v1: str
    provider_v2: str
    order_name: TextLimit = TextLimit()
    buyer_name: TextLimit = TextLimit()
    order_id: str | None = None
    order_id_rule: str = ""
    buyer_required: frozenset[BuyerField] = frozenset()
    # Of these, mobile windows ask the buyer.
    optional_on_mobile: frozenset[BuyerField] = frozenset()
    codes: dict[str, str] = field(default_factory=lambda: dict(_STANDARD))
    account: AccountRules = AccountRules()
    partial_cancels_max: int | None = None
    card_cancel_period: timedelta = timedelta(days=365)
    # Payments on a test channel are really charged, and cancelled at night.
    cancels_tests: bool = False

    def provider(self, version: Version) -> str:
        """The company's code in a payment's record."""
        return self.provider_v1 if version == "V1" else self.provider_v2

    def find_bank(self, code: str) -> Bank | None:
        """The bank behind one of the company's own codes."""
        name = next((name for name, own in self.codes.items() if own == code), None)
        return banks.BY_NAME[name] if name else None

    def check_order(self, order_id: str, name: str) -> None:
        """Raise CompanyRefused for an order id or a name that the company does not accept."""
        if self.order_id and not re.fullmatch(self.order_id, order_id, re.ASCII):
            raise self._refused("ORDER_ID", f"주문번호는 {self.order_id_rule}")
        if problem := self.order_name.problem(name):
            raise self._refused("ORDER_NAME", f"주문명에 {problem}")

    def check_buyer(self, buyer: Buyer, device: Device) -> None:
        """Raise CompanyRefused if the company misses something of the buyer."""
        optional = self.optional_on_mobile if device == "mobile" else frozenset[BuyerField]()
        self._require_buyer(self.buyer_required - optional, buyer)

    def check_account(self, bank: str | None, *, has_due: bool) -> None:
        """Raise CompanyRefused for a virtual account that the company does not issue."""
        if bank is not None:
            self.check_bank(bank)
        if self.account.due_required and not has_due:
            message = "가상계좌 발급시 유효한 입금 기한을 필수로 입력해야 합니다."
            raise self._refused("ACCOUNT_DUE", message)

    def check_bank(self, bank: str) -> None:
        """Raise CompanyRefused for a bank that the company has no accounts at."""
        if bank not in self.codes:
            raise self._refused("BANK", "가상계좌를 발급할 수 없는 은행입니다.")

    def check_issue(self, buyer: Buyer, holder: str, api_key: str | None, expected: str) -> None:
        """Raise CompanyRefused for a call of V1's POST /vbanks that lacks something."""
        rules = self.account
        if not rules.by_v1_api:
            raise self._refused("NOT_SUPPORTED", "API를 통한 가상계좌 발급을 지원하지 않습니다.")
        self.check_api_key(api_key, expected)
        if rules.holder_required and not holder:
            raise self._refused("HOLDER", "예금주명(vbank_holder)을 필수로 입력해야 합니다.")
        self._require_buyer(rules.buyer_required, buyer)

    def check_api_key(self, api_key: str | None, expected: str) -> None:
        """Raise CompanyRefused unless `pg_api_key` is the company's, where it needs one."""
        if self.account.api_key_required and api_key != expected:
            raise self._refused("HASH", "hashData 불일치 (pg_api_key)")

    def check_refund(self, bank: str | None, number: str, phone: str | None) -> None:
        """Raise CompanyRefused for an account that the company cannot refund into.

        `bank` is None for a code that is not the company's own.
        """
        if bank is None:
            raise self._refused("REFUND_BANK", "환불계좌 은행코드가 올바르지 않습니다.")
        if not re.fullmatch(r"[0-9]{6,20}", number):
            raise self._refused("REFUND_ACCOUNT", "환불계좌 번호는 숫자만 입력해야 합니다.")
        if self.account.refund_phone_required and not phone:
            message = "환불계좌 예금주 연락처를 필수로 입력해야 합니다."
            raise self._refused("REFUND_PHONE", message)

    def refuse_cancel(self, code: str, message: str) -> None:
        """Raise CompanyRefused for a cancellation."""
        raise self._refused(code, message)

    def _require_buyer(self, wanted: frozenset[BuyerField], buyer: Buyer) -> None:
        values: dict[BuyerField, str | None] = {
            "name": buyer.name,
            "phone": buyer.phone,
            "email": buyer.email,
        }
        for name, title in _BUYER.items():
            if name in wanted and not (values[name] or "").strip():
                raise self._refused("BUYER", f"{title}을(를) 필수로 입력해야 합니다.")
        if buyer.name and (problem := self.buyer_name.problem(buyer.name)):
            raise self._refused("BUYER_NAME", f"구매자 이름에 {problem}")

    def _refused(self, code: str, message: str) -> CompanyRefused:
        return CompanyRefused(
            f"{self.title}: {message}", pgCode=f"SANDBOX_{code}", pgMessage=message
        )


_TWO_DIGITS = {name: code[1:] for name, code in _STANDARD.items()}


def _only(*codes: str) -> dict[str, str]:
    return {banks.BY_CODE[code].name: code for code in codes}


def _without(*names: str) -> dict[str, str]:
    return {name: code for name, code in _STANDARD.items() if name not in names}


_ALL: frozenset[BuyerField] = frozenset({"name", "phone", "email"})
_LETTERS = "영문과 숫자만 사용할 수 있습니다 (최대 40자)"

COMPANIES: dict[CompanyName, Company] = {
    "inicis": Company(
        "KG이니시스",
        "html5_inicis",
        "INICIS_V2",
        order_name=TextLimit(40, "utf-8", cut=True),
        buyer_name=TextLimit(30, "utf-8"),
        order_id=r"[\x20-\x7e]+",
        order_id_rule="ASCII 문자만 사용할 수 있습니다",
        buyer_required=_ALL,
        optional_on_mobile=_ALL,
        codes=_TWO_DIGITS,
        account=AccountRules(
            api_key_required=True,
            holder_required=True,
            buyer_required=frozenset({"name", "email"}),
        ),
        cancels_tests=True,
    ),
    "nice": Company(
        "나이스페이먼츠",
        "nice_v2",
        "NICE_V2",
        order_name=TextLimit(40, "utf-8", forbidden="%&|$-+=[]"),
        buyer_name=TextLimit(30, "utf-8"),
        codes=_only(
            *("003", "004", "011", "020", "023", "031", "032", "034", "071", "081", "088", "089")
        ),
        account=AccountRules(due_required=True, holder_required=True),
        cancels_tests=True,
    ),
    "tosspayments": Company(
        "토스페이먼츠",
        "tosspayments",
        "TOSSPAYMENTS",
        order_name=TextLimit(100),
        buyer_name=TextLimit(100),
        order_id=r"[A-Za-z0-9_-]{6,64}",
        order_id_rule="영문, 숫자, -, _ 만 6자 이상 64자 이하로 사용할 수 있습니다",
        account=AccountRules(buyer_required=frozenset({"name"})),
    ),
    "tosspay": Company(
        "토스페이",
        "tosspay_v2",
        "TOSSPAY_V2",
        order_name=TextLimit(255, forbidden="\\,"),
        account=AccountRules(by_v1_api=False),
    ),
    "kcp": Company(
        "NHN KCP",
        "kcp",
        "KCP_V2",
        order_name=TextLimit(100, "utf-8"),
        buyer_name=TextLimit(30),
        order_id=r"[A-Za-z0-9]{1,40}",
        order_id_rule=_LETTERS,
        codes={name: f"BK{code}" for name, code in _TWO_DIGITS.items()},
        account=AccountRules(by_v1_api=False),
    ),
    "ksnet": Company(
        "KSNET",
        "ksnet",
        "KSNET",
        order_name=TextLimit(50, "euc-kr"),
        buyer_name=TextLimit(50, "euc-kr"),
        buyer_required=frozenset({"name"}),
        account=AccountRules(due_required=True, buyer_required=frozenset({"name"})),
        partial_cancels_max=9,
        card_cancel_period=timedelta(days=183),
    ),
    "smartro": Company(
        "스마트로",
        "smartro_v2",
        "SMARTRO_V2",
        order_name=TextLimit(40, "utf-8"),
        buyer_name=TextLimit(30),
        order_id=r"[A-Za-z0-9]{1,40}",
        order_id_rule=_LETTERS,
        buyer_required=frozenset({"phone"}),
        # Its test merchant has no accounts at these banks.
        codes=_without("K_BANK", "KOOKMIN", "JEONBUK", "KWANGJU", "DAEGU"),
        account=AccountRules(
            due_required=True,
            holder_required=True,
            buyer_required=_ALL,
            refund_phone_required=True,
            refunds_later=True,
        ),
        cancels_tests=True,
    ),
    "welcome": Company(
        "웰컴페이먼츠",
        "welcome",
        "WELCOME",
        order_name=TextLimit(40, "utf-8", cut=True),
        buyer_name=TextLimit(30, "utf-8"),
        order_id=r"[\x20-\x7e]+",
        order_id_rule="ASCII 문자만 사용할 수 있습니다",
        buyer_required=_ALL,
        optional_on_mobile=frozenset({"phone", "email"}),
        codes=_only(
            *("003", "004", "007", "020", "031", "032", "034", "037", "039", "081", "088", "089")
        ),
        account=AccountRules(buyer_required=frozenset({"name"})),
    ),
    "kiwoom": Company(
        "키움페이",
        "daou",
        "DAOU",
        order_name=TextLimit(unit="euc-kr"),
        buyer_name=TextLimit(unit="euc-kr"),
        codes={
            "IBK": "03",
            "KOOKMIN": "04",
            "NONGHYUP": "08",
            "WOORI": "09",
            "SHINHAN": "10",
            "STANDARD_CHARTERED": "11",
            "HANA": "12",
            "BUSAN": "15",
            "POST": "31",
        },
        account=AccountRules(by_v1_api=False),
    ),
}
