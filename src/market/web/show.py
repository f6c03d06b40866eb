"""How pages say things: prices, moments, states, banks."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from market.notifications.domain import Notification
from market.shared.banking import Bank
from market.shared.money import Money
from market.shared.notification import NotificationKind

# Korea keeps one time all year round, and every member reads it.
KOREA = timezone(timedelta(hours=9))

PRODUCT_STATUS: Mapping[str, str] = {
    "ON_SALE": "판매중",
    "RESERVED": "예약중",
    "COMPLETED": "완료",
}
TRADE_STATUS: Mapping[str, str] = {
    "AWAITING_PAYMENT": "결제 대기",
    "PAID": "결제 완료",
    "SALE_APPROVED": "판매승인",
    "PURCHASE_CONFIRMED": "구매확정",
    "CANCELLED": "거래 취소",
}
METHOD: Mapping[str, str] = {
    "CARD": "신용카드",
    "VIRTUAL_ACCOUNT": "가상계좌",
    "TRANSFER": "계좌이체",
    "MOBILE": "휴대폰 결제",
    "EASY_PAY": "간편결제",
    "OTHER": "다른 결제수단",
}

BANKS: Mapping[str, str] = {
    Bank.KOOKMIN: "국민은행",
    Bank.SHINHAN: "신한은행",
    Bank.WOORI: "우리은행",
    Bank.HANA: "하나은행",
    Bank.NONGHYUP: "농협은행",
    Bank.IBK: "기업은행",
    Bank.KAKAO: "카카오뱅크",
    Bank.TOSS: "토스뱅크",
    Bank.K_BANK: "케이뱅크",
    Bank.KDB: "산업은행",
    Bank.SUHYUP: "수협은행",
    Bank.LOCAL_NONGHYUP: "지역농축협",
    Bank.STANDARD_CHARTERED: "SC제일은행",
    Bank.CITI: "씨티은행",
    Bank.DAEGU: "iM뱅크(대구)",
    Bank.BUSAN: "부산은행",
    Bank.KWANGJU: "광주은행",
    Bank.JEONBUK: "전북은행",
    Bank.KYONGNAM: "경남은행",
    Bank.KFCC: "새마을금고",
    Bank.SHINHYUP: "신협",
    Bank.POST: "우체국",
}
TONES = 6


def only(ways: Collection[Sequence[str]]) -> str:
    """The class of what one way to pay alone has a use for."""
    needed = {way for some in ways for way in some}
    return f" only-{needed.pop()}" if len(needed) == 1 else ""


def banks(some: Collection[Bank]) -> Mapping[str, str]:
    """Some banks by name, in the usual order."""
    return {bank: name for bank, name in BANKS.items() if bank in some}


def won(amount: Money | int) -> str:
    """12,000원."""
    return f"{amount.amount if isinstance(amount, Money) else amount:,}원"


def moment(at: datetime) -> str:
    """2026. 11. 22. 14:05, in Korea."""
    there = at.astimezone(KOREA)
    return f"{there.year}. {there.month}. {there.day}. {there:%H:%M}"


def day(at: datetime) -> str:
    there = at.astimezone(KOREA)
    return f"{there.year}. {there.month}. {there.day}."


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
    NotificationKind.PAID: "결제를 확인했어요. 판매승인을 기다려 주세요.",
    NotificationKind.APPROVED: "판매자가 판매승인했어요. 물건을 받으면 구매확정을 눌러 주세요.",
    NotificationKind.CONFIRMATION_REMINDER: "물건을 받으셨나요? 구매확정을 눌러 주세요.",
    NotificationKind.CONFIRMED: "구매확정했어요.",
    NotificationKind.CANCELLED: "거래가 취소됐어요.",
    NotificationKind.REFUNDED: "결제금을 돌려드렸어요.",
    NotificationKind.ACCOUNT_NEEDED: "돌려드릴 돈이 있어요. 환불받을 계좌를 알려 주세요.",
    NotificationKind.REFUND_REFUSED: "결제사가 환불을 거절했어요. 거래는 그대로 이어져요.",
}
TOLD_SELLER: Mapping[NotificationKind, str] = {
    **TOLD_BUYER,
    NotificationKind.PAID: "구매자가 결제했어요. 판매승인을 눌러 주세요.",
    NotificationKind.CONFIRMED: "구매자가 구매확정했어요. 곧 정산돼요.",
    NotificationKind.REFUNDED: "결제금 일부가 구매자에게 돌아갔어요.",
}


# The market's own reasons, by their codes; and as they were kept before there were codes.
REASONS: Mapping[str, str] = {
    "not_paid_in_time": "제때 결제되지 않았어요",
    "not paid in time": "제때 결제되지 않았어요",
    "cancelled_at_gateway": "결제사에서 취소됐어요",
    "cancelled at the payment gateway": "결제사에서 취소됐어요",
    "came_too_late": "거래가 끝난 뒤에 결제됐어요",
    "transfer_failed": "은행이 환불금을 계좌로 보내지 못했어요",
    "refund_given_up": "운영자가 환불을 그만두기로 했어요",
    "refund_failed": "환불하지 못했어요",
    "refund_done": "환불이 끝났어요",
    "refund_failed_later": "결제사가 접수한 환불을 끝내지 못했어요",
    "the purchase could no longer take it": "거래가 끝난 뒤에 결제됐어요",
    "wrong_amount": "결제한 금액이 달랐어요",
    "wrong amount": "결제한 금액이 달랐어요",
    "wrong_currency": "결제한 통화가 달랐어요",
    "wrong currency": "결제한 통화가 달랐어요",
    "wrong_order": "다른 주문의 결제였어요",
    "wrong order": "다른 주문의 결제였어요",
    "wrong_store": "다른 상점에서 결제됐어요",
    "wrong store": "다른 상점에서 결제됐어요",
    "wrong_channel": "다른 종류의 결제 채널이었어요",
    "wrong channel": "다른 종류의 결제 채널이었어요",
}


def reason(text: str, translate: Callable[[str], str]) -> str:
    """A reason of the market's in words; one of a member's as it was written."""
    return translate(REASONS[text]) if text in REASONS else text


def notice_words(notice: Notification) -> str:
    """What a notice says, to a buyer or to a seller."""
    return (TOLD_BUYER if notice.buying else TOLD_SELLER)[notice.kind]


FILTERS: Mapping[str, Any] = {
    "won": won,
    "moment": moment,
    "day": day,
    "iso": iso,
    "bank": bank,
    "banks": banks,
    "only": only,
    "tone": tone,
    "notice_words": notice_words,
    "reason": reason,
    "product_status": PRODUCT_STATUS.__getitem__,
    "trade_status": TRADE_STATUS.__getitem__,
    "method": METHOD.__getitem__,
}
