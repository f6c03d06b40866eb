"""Form posts, read field by field; what is wrong is kept beside the field, to be shown there."""

import re
from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Any, TypeVar

from litestar import Request
from litestar.datastructures import State, UploadFile

from market.kit.http.request import SINGLE_LINE
from market.payments.buyer import EMAIL, LONGEST_EMAIL, LONGEST_NAME, Buyer, BuyerField
from market.payments.cancellation import RefundRefused
from market.payments.demands import BankRefused, Demands
from market.shared.banking import ACCOUNT_NUMBER, HOLDER_LENGTH_MAX, Bank, RefundAccount
from market.shared.errors import Invalid
from market.shared.phone import phone_number
from market.shared.text import clean, line, units, won

from .form_body import FormBody
from .translation import gettext_noop as _

E = TypeVar("E", bound=StrEnum)


class Form:
    """What somebody sent. Each reader gives a value that can be used, or notes why it can't be
    and gives an empty one: look at `wrong` before believing any of them."""

    def __init__(self, fields: Mapping[str, str], files: Mapping[str, list[UploadFile]]) -> None:
        self._fields = fields
        self._files = files
        self.wrong: dict[str, tuple[str, dict[str, object]]] = {}

    @classmethod
    async def of(cls, request: Request[Any, Any, State]) -> "Form":
        """Reads the rest of the body: by now it is known who sent it, and that they may."""
        body = FormBody.of(request)
        await body.all()
        return cls(body.fields, body.files)

    def raw(self, name: str) -> str:
        """As it was sent: to be shown again, or handed on as a secret."""
        return self._fields.get(name, "")

    @property
    def values(self) -> Mapping[str, str]:
        return self._fields

    def text(self, name: str, *, most: int, least: int = 1, pattern: str | None = None) -> str:
        """As it is kept, without blanks around it; at most and at least so many characters."""
        text = clean(self.raw(name)).strip().replace("\r\n", "\n")
        if "\0" in text:
            self.fault(name, _("사용할 수 없는 문자가 있어요."))
        elif not text and least:
            self.fault(name, _("필수 항목이에요."))
        elif len(text) < least:
            self.fault(name, _("{least}자 이상 입력해 주세요."), least=least)
        elif len(text) > most:
            self.fault(name, _("{most}자까지 입력할 수 있어요."), most=most)
        elif text and pattern and not re.fullmatch(pattern, text):
            self.fault(name, _("형식이 올바르지 않아요."))
        return text

    def line(self, name: str, *, most: int) -> str:
        """A text that stands on one line and reads as it stands, like the API's of its kind."""
        text = self.text(name, most=most)
        if not re.fullmatch(SINGLE_LINE, text):
            self.fault(name, _("사용할 수 없는 문자가 있어요."))
        return line(text)

    def won(self, name: str, least: int, most: int) -> int:
        """An amount in won, written as people write one."""
        return self._number(name, won(self.raw(name)), least, most)

    def units(self, name: str, least: int, most: int) -> int:
        """A number of things, written as people write one."""
        return self._number(name, units(self.raw(name)), least, most)

    def _number(self, name: str, number: int | None, least: int, most: int) -> int:
        if number is None or not least <= number <= most:
            words = _("{least}부터 {most}까지의 숫자를 입력해 주세요.")
            self.fault(name, words, least=least, most=f"{most:,}")
            return -1
        return number

    def seen(self, name: str) -> int | None:
        """An amount that the page showed beside the form's button, in minor units: 0, which is the
        price of nothing, for what is no number; None where the page had none."""
        if name not in self._fields:
            return None
        return won(self.raw(name)) or 0

    def phone(self, name: str) -> str:
        """A phone number in digits, written as people write one."""
        number = phone_number(self.raw(name))
        if number is None:
            given = self.raw(name).strip()
            self.fault(name, _("형식이 올바르지 않아요.") if given else _("필수 항목이에요."))
        return number or ""

    def choice(self, name: str, kind: type[E]) -> E | None:
        """One of a few."""
        try:
            return kind(self.raw(name))
        except ValueError:
            self.fault(name, _("하나를 선택해 주세요."))
            return None

    def files(self, name: str) -> list[UploadFile]:
        """Those that were really chosen: an empty field sends a file without name."""
        return [file for file in self._files.get(name, []) if file.filename]

    def fault(self, name: str, words: str, **numbers: object) -> None:
        self.wrong.setdefault(name, (words, numbers))

    def refused(self, name: str, error: Invalid) -> None:
        """Notes what a service would not take."""
        self.wrong.setdefault(name, (error.code, {}))


def refund_refused(form: Form, name: str, refusal: RefundRefused) -> None:
    """Says beside a field that the gateway would not send the money back, and why."""
    form.fault(name, _("결제사가 환불을 거절했어요: {reason}"), **refusal.context)


def account_in(form: Form, demands: Demands) -> RefundAccount | None:
    """Somebody's own bank account, as the fields of a form name it, that the payment company can
    refund to."""
    bank = form.choice("bank", Bank)
    number = form.text("number", most=60, pattern=ACCOUNT_NUMBER)
    holder = form.line("holder", most=HOLDER_LENGTH_MAX)
    phone = form.phone("phone") if demands.refund_phone else None
    if bank is None:
        return None
    account = RefundAccount.read(bank, number, holder, phone)
    if bank not in demands.refund_banks:
        form.fault("bank", BankRefused.code)
    return account


def buyer_in(form: Form, wanted: Collection[BuyerField]) -> Buyer:
    """Who pays, as far as the payment company must be told."""
    given: dict[str, str] = {}
    for field in wanted:
        name = f"buyer_{field}"
        match field:
            case BuyerField.NAME:
                given[field] = form.line(name, most=LONGEST_NAME)
            case BuyerField.PHONE:
                given[field] = form.phone(name)
            case BuyerField.EMAIL:
                given[field] = form.text(name, most=LONGEST_EMAIL, pattern=EMAIL)
    return Buyer(**given)
