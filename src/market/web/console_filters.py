"""How the console says things: states, doors, movements of money, and the lines of a history."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from market.console.ports import Moment
from market.shared.money import KRW, Money

from .filters import REASONS
from .translation import Translator
from .translation import gettext_noop as _

PAYMENT_STATUS: Mapping[str, str] = {
    "READY": _("결제 준비"),
    "VIRTUAL_ACCOUNT_ISSUED": _("입금 대기"),
    "PAID": _("결제됨"),
    "PARTIALLY_CANCELLED": _("부분 취소"),
    "CANCELLED": _("전액 취소"),
    "FAILED": _("결제 실패"),
    "EXPIRED": _("만료"),
}
TRIGGERS: Mapping[str, str] = {
    "BUYER": _("구매자"),
    "WEBHOOK": _("웹훅"),
    "SWEEP": _("정기 동기화"),
    "REFUND": _("결제취소"),
    "COMPARISON": _("대사"),
    "OPERATOR": _("운영자"),
}
PARTIES: Mapping[str, str] = {
    "BUYER": _("구매자"),
    "SELLER": _("판매자"),
    "OPERATOR": _("운영자"),
    "MARKET": _("마켓"),
}
GATEWAY_STATUS: Mapping[str, str] = {
    "UNPAID": _("미결제"),
    "PAID": _("결제됨"),
    "FAILED": _("결제 실패"),
}
TRANSFERS: Mapping[str, str] = {
    "CAPTURED": _("결제 대금 입금"),
    "RETURNED": _("환불"),
    "SETTLED": _("판매자 정산"),
    "FEE": _("수수료"),
}
ACCOUNTS: Mapping[str, str] = {
    "gateway": _("결제사 보관금"),
    "escrow": _("구매확정 대기금"),
    "fees": _("수수료 수입"),
    "claims": _("미수금"),
}
ACTS: Mapping[str, str] = {
    "cancel": _("거래 취소"),
    "settle": _("이상 내역 처리 완료"),
    "look": _("결제사 기록 확인"),
    "name a refund account": _("환불 계좌 등록"),
    "appoint": _("운영자 지정"),
    "dismiss": _("운영자 해제"),
}
# What an incident means, and what is to be done about it: docs/operations.md says it at length.
INCIDENTS: Mapping[str, str] = {
    "wrong_amount": _("청구 금액과 다른 금액이 결제됐어요. 전액이 자동으로 환불돼요."),
    "wrong_currency": _("청구 통화와 다른 통화로 결제됐어요. 전액이 자동으로 환불돼요."),
    "wrong_order": _("다른 주문의 결제예요. 전액이 자동으로 환불돼요."),
    "wrong_store": _("다른 상점으로 결제됐어요. 전액이 자동으로 환불돼요."),
    "wrong_channel": _("다른 종류의 채널(테스트·실연동)로 결제됐어요. 전액이 자동으로 환불돼요."),
    "refund_refused": _("결제사가 환불을 거절했어요. 원인을 해결하고 결제사 콘솔에서 취소하세요."),
    "refund_account_needed": _("환불 계좌가 필요해요. 구매자에게 확인하세요."),
    "refund_overdue": _("일주일이 지나도 환불이 완료되지 않았어요. 확인하고 필요하면 중단하세요."),
    "trade_overdue": _("결제된 거래가 한 달째 멈춰 있어요. 거래 당사자에게 물어보세요."),
    "refund_transfer_failed": _("은행이 환불금을 송금하지 못했어요. 구매자 계좌로 송금해 주세요."),
    "returned_after_settlement": _("판매자에게 정산한 뒤에 환불됐어요. 부담 주체를 정하세요."),
    "paid_twice": _(
        "같은 주문이 두 번 결제됐어요. 두 번째는 환불돼요. V2면 결제사 콘솔에서 하세요."
    ),
    "unreadable_record": _("결제사 기록을 읽을 수 없어요. 결제사 콘솔에서 확인하세요."),
    "unknown_status": _("결제사 기록이 알 수 없는 상태예요. 결제사 콘솔에서 확인하세요."),
    "more_back_than_came": _(
        "결제사 기록에 결제 금액보다 큰 금액이 환불됐어요. 결제사에 문의하세요."
    ),
    "deposited_twice": _("가상계좌에 두 번 입금됐어요. 두 번째 입금액을 환불하게 하세요."),
    "unknown_at_gateway": _(
        "원장에는 있지만 결제사에는 없는 결제예요. 정산을 보류하고 문의하세요."
    ),
    "unknown_here": _("결제사에는 있지만 마켓에는 없는 결제예요. 결제사 콘솔에서 확인하세요."),
    "amounts_differ": _("결제사와 원장의 금액이 달라요. 두 기록을 비교해 보세요."),
}
JOBS: Mapping[str, str] = {
    "hints": _("웹훅 처리"),
    "hints_again": _("웹훅 재처리"),
    "holds": _("결제 기한 만료 처리"),
    "cancellations": _("환불 처리"),
    "payments": _("미완료 결제 동기화"),
    "comparison": _("결제사 대사"),
    "forget": _("오래된 데이터 삭제"),
    "nickname_keys": _("닉네임 비교값 생성"),
    "reminders": _("구매확정 요청"),
    "checks": _("결제 일일 확인"),
    "overdue": _("지연된 거래와 환불 확인"),
}
PENDING: Mapping[str, str] = {
    "hints": _("처리할 웹훅"),
    "cancellations_due": _("처리할 환불"),
    "cancellations_later": _("재시도할 환불"),
    "cancellations_waiting": _("계좌를 기다리는 환불"),
    "cancellations_failed": _("실패한 환불"),
    "holds_due": _("만료된 결제 기한"),
    "payments_due": _("동기화할 결제"),
    "incidents": _("처리할 이상 내역"),
}
JOB_STATUS: Mapping[str, str] = {
    "queued": _("대기"),
    "picked": _("실행 중"),
    "successful": _("성공"),
    "exception": _("오류"),
    "canceled": _("취소"),
    "deleted": _("삭제"),
    "failed": _("실패"),
}
_EVENTS: Mapping[str, str] = {
    "ASKED": _("결제를 시작했어요"),
    "FOUND": _("같은 주문에서 추가 결제를 찾았어요"),
    "REGISTERED": _("결제사에 금액을 등록했어요"),
    "LOOKED": _("결제사 기록을 확인했어요"),
    "EXPIRED": _("결제 기한이 만료됐어요"),
    "REFUND_TRIED": _("결제사에 환불을 요청했어요"),
    "REFUND_REFUSED": _("결제사가 환불을 거절했어요"),
    "REFUND_GIVEN_UP": _("운영자가 환불을 중단했어요"),
    "ACCOUNT_NAMED": _("환불 계좌가 등록됐어요"),
}
_STEPS: Mapping[str, str] = {
    "BOUGHT": _("구매자가 구매했어요"),
    "PAID": _("구매자가 결제했어요"),
    "APPROVED": _("판매자가 판매승인했어요"),
    "CONFIRMED": _("구매자가 구매확정했어요"),
    "CANCEL_ASKED": _("거래 취소가 접수됐어요"),
    "CANCELLED": _("거래가 취소됐어요"),
}
_REFUNDS: Mapping[str, str] = {
    "REQUESTED": _("환불이 접수됐어요"),
    "SUCCEEDED": _("환불이 완료됐어요"),
    "FAILED": _("환불하지 못했어요"),
}

# What is booked later than this after it happened says both times.
LATE = timedelta(minutes=1)
# Of what a webhook tells: which payment it is about, and whose shop, goes without saying.
_OURS = {"merchant_uid", "paymentId", "storeId"}
_SEND_BACK = re.compile(r"send back ([0-9]+)")

Detail = tuple[str, object, bool]


@dataclass(frozen=True, slots=True)
class TimelineItem:
    """A line of a history: a `title` in words, details as (label, value, whether the value is words
    of ours to be translated), and what `kind` of line it is."""

    at: datetime
    kind: str
    title: str
    details: Sequence[Detail]


def describe(found: Moment) -> TimelineItem:
    """A moment in words. Who knows none for it shows its own name."""
    title, details = _TELLING[found.source](found)
    return TimelineItem(found.at, found.source, title, [d for d in details if d[1]])


def _event(found: Moment) -> tuple[str, list[Detail]]:
    facts = found.facts
    before, after = facts.get("status_before"), facts.get("status_after")
    details: list[Detail] = [(_("확인 경로"), TRIGGERS.get(facts.get("door", ""), ""), True)]
    if "state" in facts:
        currency = facts["currency"]
        details += [
            (_("결제사 기록"), GATEWAY_STATUS.get(facts["state"], facts["state"]), True),
            (_("결제사 번호"), facts["reference"], False),
        ]
        if facts["state"] == "PAID":  # before, it is what was asked for
            details.append((_("결제된 금액"), Money(facts["captured"], currency), False))
        if facts["returned"]:
            details.append((_("환불된 금액"), Money(facts["returned"], currency), False))
        if facts.get("deposited"):
            details.append((_("입금액"), Money(facts["deposited"], currency), False))
    elif found.what == "LOOKED":
        details.append((_("결제사 기록"), _("기록 없음"), True))
    if "amount" in facts:
        details.append((_("금액"), Money(facts["amount"], KRW), False))
    if before != after and before is not None:
        details.append((_("변경 전"), PAYMENT_STATUS[before], True))
        details.append((_("변경 후"), PAYMENT_STATUS[str(after)], True))
    details.append((_("결제사 메시지"), facts.get("note", ""), False))
    return _EVENTS.get(found.what, found.what), details


def _step(found: Moment) -> tuple[str, list[Detail]]:
    if found.what != "CANCEL_ASKED":
        return _STEPS[found.what], []
    by, reason = found.facts["by"], found.facts["reason"]
    return _STEPS[found.what], [(_("처리자"), PARTIES.get(by, by), True), _why(reason)]


def _refund(found: Moment) -> tuple[str, list[Detail]]:
    facts = found.facts
    by = facts.get("by") or ""
    return _REFUNDS[found.what], [
        (_("금액"), Money(facts["amount"], KRW), False),
        (_("처리자"), PARTIES.get(by, by), True),
        _why(facts.get("reason") or facts.get("why") or ""),
    ]


def _why(reason: str) -> Detail:
    """Somebody's own words, or a code of ours in words."""
    return _("사유"), REASONS.get(reason, reason), reason in REASONS


def _transfer(found: Moment) -> tuple[str, list[Detail]]:
    facts = found.facts
    occurred = datetime.fromisoformat(facts["occurred_at"])
    late = abs(found.at - occurred) >= LATE
    return TRANSFERS.get(found.what, found.what), [
        (_("금액"), Money(facts["amount"], facts["currency"]), False),
        (_("출금 계정"), account(facts["debit"]), True),
        (_("입금 계정"), account(facts["credit"]), True),
        (_("발생일시"), occurred if late else "", False),
    ]


def _webhook(found: Moment) -> tuple[str, list[Detail]]:
    facts = found.facts
    handled = facts["handled_at"]
    details: list[Detail] = [("PortOne", found.what, False)]
    details += [
        (name, str(text), False) for name, text in facts["told"].items() if name not in _OURS
    ]
    when = datetime.fromisoformat(handled) if handled else _("아직")
    return _("웹훅을 받았어요"), [*details, (_("처리일시"), when, not handled)]


def _incident(found: Moment) -> tuple[str, list[Detail]]:
    meaning = INCIDENTS.get(found.what, found.what)
    return _("이상 내역이 발생했어요"), [
        (_("종류"), found.what, False),
        (_("뜻"), meaning, True),
        *((name, word(value), False) for name, value in found.facts["seen"].items()),
    ]


def _act(found: Moment) -> tuple[str, list[Detail]]:
    return _("운영자가 처리했어요"), [
        (_("처리 내용"), act(found.what), True),
        (_("금액"), act_amount(found.what), False),
        (_("처리자"), found.actor or "", False),
        (_("사유"), found.facts["reason"], False),
    ]


_TELLING = {
    "event": _event,
    "trade": _step,
    "cancellation": _refund,
    "transfer": _transfer,
    "webhook": _webhook,
    "incident": _incident,
    "act": _act,
}


def account(name: str) -> str:
    """An account of the ledger by its name in words."""
    return ACCOUNTS.get(name, _("판매자") if name.startswith("seller:") else name)


def act(name: str) -> str:
    """`send back 400` has the amount in its name: see `act_amount`."""
    return _("일부 환불") if _SEND_BACK.fullmatch(name) else ACTS.get(name, name)


def act_amount(name: str) -> Money | None:
    sent = _SEND_BACK.fullmatch(name)
    return Money(int(sent[1]), KRW) if sent else None


def word(value: Any) -> str:
    """A fact that was seen, whatever it is."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {word(one)}" for name, one in value.items())
    return "–" if value is None else str(value)


def short(id: str) -> str:
    """The end of an id, which differs where the beginning is the same."""
    return f"…{id[-8:]}"


def for_language(translator: Translator) -> Mapping[str, Callable[..., object]]:
    """What the console's templates of one language format with."""

    def said(text: str) -> str:
        """Words of ours in the reader's language; a name nobody has words for as it is."""
        return text if text.isascii() else translator.gettext(text)

    return {
        "payment_status": PAYMENT_STATUS.__getitem__,
        "party": lambda name: PARTIES.get(name, name),
        "transfer": lambda kind: TRANSFERS.get(kind, kind),
        "account": account,
        "act": act,
        "act_amount": act_amount,
        "said": said,
        "value": translator.value,
        "incident": lambda kind: INCIDENTS.get(kind, ""),
        "job": lambda name: JOBS.get(name, name),
        "job_status": lambda name: JOB_STATUS.get(name, name),
        "pending": PENDING.__getitem__,
        "money": translator.money,
        "word": word,
        "short": short,
        "month_day": translator.month_day,
        "to_the_second": translator.to_the_second,
    }
