"""What templates format with: amounts, times, states, banks, reasons, notices."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime

from market.notifications.domain import Notification
from market.shared.banking import Bank
from market.shared.money import Money
from market.shared.notification import NotificationKind

from .messages import problem
from .translation import Translator
from .translation import gettext_noop as _

PRODUCT_STATUS: Mapping[str, str] = {
    "ON_SALE": _("판매중"),
    "RESERVED": _("예약중"),
    "COMPLETED": _("완료"),
}
TRADE_STATUS: Mapping[str, str] = {
    "AWAITING_PAYMENT": _("결제 대기"),
    "PAID": _("결제 완료"),
    "SALE_APPROVED": _("판매승인"),
    "PURCHASE_CONFIRMED": _("구매확정"),
    "CANCELLED": _("거래 취소"),
}
METHOD: Mapping[str, str] = {
    "CARD": _("신용카드"),
    "VIRTUAL_ACCOUNT": _("가상계좌"),
    "TRANSFER": _("계좌이체"),
    "MOBILE": _("휴대폰 결제"),
    "EASY_PAY": _("간편결제"),
    "OTHER": _("기타 결제수단"),
}

BANKS: Mapping[str, str] = {
    Bank.KOOKMIN: _("국민은행"),
    Bank.SHINHAN: _("신한은행"),
    Bank.WOORI: _("우리은행"),
    Bank.HANA: _("하나은행"),
    Bank.NONGHYUP: _("농협은행"),
    Bank.IBK: _("기업은행"),
    Bank.KAKAO: _("카카오뱅크"),
    Bank.TOSS: _("토스뱅크"),
    Bank.K_BANK: _("케이뱅크"),
    Bank.KDB: _("산업은행"),
    Bank.SUHYUP: _("수협은행"),
    Bank.LOCAL_NONGHYUP: _("지역농축협"),
    Bank.STANDARD_CHARTERED: _("SC제일은행"),
    Bank.CITI: _("씨티은행"),
    Bank.DAEGU: _("iM뱅크(대구)"),
    Bank.BUSAN: _("부산은행"),
    Bank.KWANGJU: _("광주은행"),
    Bank.JEONBUK: _("전북은행"),
    Bank.KYONGNAM: _("경남은행"),
    Bank.KFCC: _("새마을금고"),
    Bank.SHINHYUP: _("신협"),
    Bank.POST: _("우체국"),
}
TONES = 6


def only(ways: Collection[Sequence[str]]) -> str:
    """The class of what one way to pay alone has a use for."""
    needed = {way for some in ways for way in some}
    return f" only-{needed.pop()}" if len(needed) == 1 else ""


def banks(some: Collection[Bank]) -> Mapping[str, str]:
    """Some banks by name, in the usual order."""
    return {bank: name for bank, name in BANKS.items() if bank in some}


def iso(at: datetime) -> str:
    """For a machine that reads the page."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def bank(name: str) -> str:
    """A bank by its Korean name; the gateway's own word for one we don't know."""
    known = Bank.named(name)
    return BANKS[known] if known else name


def tone(id: str) -> str:
    """One of a few colours for what has no photo, always the same one."""
    return f"tone-{int(id[-4:], 16) % TONES}"


TOLD_BUYER: Mapping[NotificationKind, str] = {
    NotificationKind.PAID: _("결제가 확인됐어요. 판매승인을 기다려 주세요."),
    NotificationKind.APPROVED: _("판매자가 판매승인했어요. 상품을 받으면 구매확정을 눌러 주세요."),
    NotificationKind.CONFIRMATION_REMINDER: _("상품을 받으셨나요? 구매확정을 눌러 주세요."),
    NotificationKind.CONFIRMED: _("구매확정했어요."),
    NotificationKind.CANCELLED: _("거래가 취소됐어요."),
    NotificationKind.REFUNDED: _("결제 대금이 환불됐어요."),
    NotificationKind.ACCOUNT_NEEDED: _("환불할 금액이 있어요. 환불받을 계좌를 입력해 주세요."),
    NotificationKind.REFUND_REFUSED: _("결제사가 환불을 거절했어요. 거래는 그대로 진행돼요."),
}
TOLD_SELLER: Mapping[NotificationKind, str] = {
    **TOLD_BUYER,
    NotificationKind.PAID: _("구매자가 결제했어요. 판매승인을 눌러 주세요."),
    NotificationKind.CONFIRMED: _("구매자가 구매확정했어요. 곧 정산돼요."),
    NotificationKind.REFUNDED: _("결제 대금 일부가 구매자에게 환불됐어요."),
}


# The market's own reasons, by their codes; and as they were kept before there were codes.
REASONS: Mapping[str, str] = {
    "not_paid_in_time": _("결제 기한이 지났어요"),
    "not paid in time": _("결제 기한이 지났어요"),
    "cancelled_at_gateway": _("결제사에서 취소됐어요"),
    "cancelled at the payment gateway": _("결제사에서 취소됐어요"),
    "came_too_late": _("거래가 끝난 뒤에 결제됐어요"),
    "transfer_failed": _("은행이 환불금을 송금하지 못했어요"),
    "refund_given_up": _("운영자가 환불을 중단했어요"),
    "refund_done": _("환불이 완료됐어요"),
    "refund_failed": _("환불하지 못했어요"),
    "refund_failed_later": _("결제사가 접수한 환불이 실패했어요"),
    "the purchase could no longer take it": _("거래가 끝난 뒤에 결제됐어요"),
    "wrong_amount": _("결제 금액이 달랐어요"),
    "wrong amount": _("결제 금액이 달랐어요"),
    "wrong_currency": _("결제 통화가 달랐어요"),
    "wrong currency": _("결제 통화가 달랐어요"),
    "wrong_order": _("다른 주문의 결제였어요"),
    "wrong order": _("다른 주문의 결제였어요"),
    "wrong_store": _("다른 상점에서 결제됐어요"),
    "wrong store": _("다른 상점에서 결제됐어요"),
    "wrong_channel": _("다른 종류의 결제 채널로 결제됐어요"),
    "wrong channel": _("다른 종류의 결제 채널로 결제됐어요"),
}


def notice_words(notice: Notification) -> str:
    """What a notice says, to a buyer or to a seller."""
    return (TOLD_BUYER if notice.buying else TOLD_SELLER)[notice.kind]


def for_language(translator: Translator) -> Mapping[str, Callable[..., object]]:
    """What templates of one language format with."""

    def reason(text: str) -> str:
        """A reason of the market's in words; one of a member's as it was written."""
        return translator.gettext(REASONS[text]) if text in REASONS else text

    def won(amount: Money | int) -> str:
        return translator.money(amount.amount if isinstance(amount, Money) else amount)

    return {
        "won": won,
        "moment": translator.moment,
        "day": translator.day,
        "iso": iso,
        "bank": bank,
        "banks": banks,
        "only": only,
        "tone": tone,
        "notice_words": notice_words,
        "problem": problem,
        "reason": reason,
        "product_status": PRODUCT_STATUS.__getitem__,
        "trade_status": TRADE_STATUS.__getitem__,
        "method": METHOD.__getitem__,
    }
