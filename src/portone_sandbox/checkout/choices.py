"""The test cards and outcomes a buyer can choose, and the effect of each."""

from typing import NamedTuple

from portone_sandbox.core.locale import Language
from portone_sandbox.core.payment_flow import DECLINED
from portone_sandbox.core.payments import Card, Failure, Method, Payment

_MONTHS_MAX = 12
_STOLEN = Failure("카드 승인이 거절되었습니다.", "SANDBOX_STOLEN", "도난·분실 신고된 카드")


class CheckoutAction(NamedTuple):
    """The effect of a confirmed choice."""

    failure: Failure | None = None
    number: str = "941009******1234"
    name: str = "샌드박스카드"

    def card(self, payment: Payment, months: str) -> Card | None:
        """The card to charge, if the method is a card."""
        if payment.method is not Method.CARD:
            return None
        known = months.isdecimal() and int(months) <= _MONTHS_MAX
        quota = int(months) if known else 0
        return Card(number=self.number, name=self.name, installment_months=quota)


class Choice(NamedTuple):
    """One choice on the page."""

    key: str
    title: str
    note: str
    number: str
    good: bool


_APPROVED, _QUIET = (
    CheckoutAction(),
    CheckoutAction(number="941009******9012", name="샌드박스 조용한카드"),
)
_ACTIONS = {
    "approved": _APPROVED,
    "limit": CheckoutAction(DECLINED),
    "stolen": CheckoutAction(_STOLEN),
    "quiet": _QUIET,
}
_NUMBERS = {
    "approved": "•••• 1234",
    "limit": "•••• 5678",
    "stolen": "•••• 3456",
    "quiet": "•••• 9012",
}
_WORDS: dict[Language, dict[str, tuple[str, str]]] = {
    "ko": {
        "approved": ("승인되는 카드", "결제가 정상 승인됩니다"),
        "limit": ("한도초과 카드", "카드사가 승인을 거절합니다"),
        "stolen": ("도난·분실 카드", "카드사가 승인을 거절합니다"),
        "quiet": ("결과를 잃는 카드", "승인되지만 상점 화면은 취소로 압니다"),
    },
    "en": {
        "approved": ("Approved card", "The payment goes through"),
        "limit": ("Card over its limit", "The card company declines"),
        "stolen": ("Stolen card", "The card company declines"),
        "quiet": ("Lost-result card", "Approved, but the shop hears you left"),
    },
}
_PLAIN: dict[Language, dict[str, tuple[str, str]]] = {
    "ko": {
        "approved": ("승인", "결제가 정상 승인됩니다"),
        "limit": ("거절", "결제사가 승인을 거절합니다"),
        "quiet": ("승인, 결과 유실", "승인되지만 상점 화면은 취소로 압니다"),
    },
    "en": {
        "approved": ("Approve", "The payment goes through"),
        "limit": ("Decline", "The payment company declines"),
        "quiet": ("Approve, lose the result", "The shop's page hears that you left"),
    },
}


def choices_for(method: Method, language: Language) -> list[Choice]:
    """The choices for a method; none for virtual accounts, where the bank is the choice."""
    if method is Method.VIRTUAL_ACCOUNT:
        return []
    card = method is Method.CARD
    words = (_WORDS if card else _PLAIN)[language]
    return [
        Choice(key, title, note, _NUMBERS[key] if card else "", _ACTIONS[key].failure is None)
        for key, (title, note) in words.items()
    ]


def action_for(key: str) -> CheckoutAction:
    """The effect of a choice; an unknown one is approved."""
    return _ACTIONS.get(key, _APPROVED)
