"""How the console says things: states, doors, movements of money, and the lines of a history."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from market.console.ports import Moment
from market.shared.money import KRW

from .show import KOREA, REASONS, moment

PAYMENT_STATUS: Mapping[str, str] = {
    "READY": "결제 준비",
    "VIRTUAL_ACCOUNT_ISSUED": "입금 대기",
    "PAID": "결제됨",
    "PARTIALLY_CANCELLED": "부분 취소",
    "CANCELLED": "전액 취소",
    "FAILED": "결제 실패",
    "EXPIRED": "만료",
}
DOORS: Mapping[str, str] = {
    "BUYER": "구매자",
    "WEBHOOK": "웹훅",
    "SWEEP": "정기 확인",
    "REFUND": "결제취소",
    "COMPARISON": "대사",
    "OPERATOR": "운영자",
}
PARTIES: Mapping[str, str] = {
    "BUYER": "구매자",
    "SELLER": "판매자",
    "OPERATOR": "운영자",
    "MARKET": "마켓",
}
SEEN: Mapping[str, str] = {"UNPAID": "미결제", "PAID": "결제됨", "FAILED": "결제 실패"}
TRANSFERS: Mapping[str, str] = {
    "CAPTURED": "결제금 입금",
    "RETURNED": "환불",
    "SETTLED": "판매자 정산",
    "FEE": "수수료",
}
ACCOUNTS: Mapping[str, str] = {
    "gateway": "결제사 보관금",
    "escrow": "구매확정 대기금",
    "fees": "수수료 수입",
    "claims": "받을 돈",
}
ACTS: Mapping[str, str] = {
    "cancel": "거래 취소",
    "settle": "이상 내역 종결",
    "look": "결제사 기록 확인",
    "name a refund account": "환불 계좌 등록",
    "appoint": "운영자 임명",
    "dismiss": "운영자 해임",
}
# What an incident means, and what is to be done about it: docs/operations.md says it at length.
INCIDENTS: Mapping[str, str] = {
    "wrong_amount": "청구한 것과 다른 금액이 결제됐어요. 전액이 저절로 돌아가요.",
    "wrong_currency": "청구한 것과 다른 통화로 결제됐어요. 전액이 저절로 돌아가요.",
    "wrong_order": "다른 주문의 기록이 돌아왔어요. 전액이 저절로 돌아가요.",
    "wrong_store": "다른 상점으로 결제됐어요. 전액이 저절로 돌아가요.",
    "wrong_channel": "다른 종류의 채널(테스트·실연동)로 결제됐어요. 전액이 저절로 돌아가요.",
    "refund_refused": "결제사가 환불을 거절했어요. 까닭을 풀고 결제사 콘솔에서 취소하세요.",
    "refund_account_needed": "입금된 돈을 돌려줄 계좌를 몰라요. 구매자에게 물어보세요.",
    "refund_overdue": "일주일이 지나도 환불이 끝나지 않았어요. 확인하고, 필요하면 그만두세요.",
    "trade_overdue": "결제된 거래가 한 달째 멈춰 있어요. 거래 당사자에게 물어보세요.",
    "refund_transfer_failed": "은행이 환불금을 보내지 못했어요. 구매자가 적은 계좌로 보내 주세요.",
    "returned_after_settlement": "판매자에게 정산한 뒤에 환불됐어요. 누가 부담할지 정하세요.",
    "paid_twice": "같은 주문이 두 번 결제됐어요. 두 번째는 환불돼요. V2면 결제사 콘솔에서 하세요.",
    "unreadable_record": "결제사 기록을 읽을 수 없어요. 결제사 콘솔에서 확인하세요.",
    "unknown_status": "결제사 기록이 처음 보는 상태예요. 결제사 콘솔에서 확인하세요.",
    "more_back_than_came": "결제사 기록에 결제된 것보다 많은 돈이 환불됐어요. 결제사에 문의하세요.",
    "deposited_twice": "가상계좌에 두 번 입금됐어요. 두 번째 입금을 돌려보내게 하세요.",
    "unknown_at_gateway": "장부에는 있는데 결제사에는 없는 돈이에요. 정산을 멈추고 문의하세요.",
    "unknown_here": "결제사에는 있는데 우리 결제가 아닌 돈이에요. 결제사 콘솔에서 찾아보세요.",
    "amounts_differ": "결제사와 장부의 금액이 달라요. 두 기록을 견줘 보세요.",
}
JOBS: Mapping[str, str] = {
    "hints": "웹훅 처리",
    "hints_again": "밀린 웹훅 처리",
    "holds": "결제 기한 끝내기",
    "cancellations": "환불 보내기",
    "payments": "끝나지 않은 결제 확인",
    "comparison": "결제사와 대사",
    "forget": "오래된 것 지우기",
    "nickname_keys": "닉네임 비교 준비",
    "checks": "결제된 돈 매일 확인하기",
    "overdue": "오래 멈춘 환불과 거래 찾기",
    "reminders": "구매확정 부탁하기",
}
PENDING: Mapping[str, str] = {
    "hints": "처리할 웹훅",
    "cancellations_due": "지금 보낼 환불",
    "cancellations_later": "다시 시도할 환불",
    "cancellations_waiting": "계좌를 기다리는 환불",
    "cancellations_failed": "실패한 환불",
    "holds_due": "끝낼 결제 기한",
    "payments_due": "확인할 결제",
    "incidents": "처리할 이상 내역",
}
JOB_STATUS: Mapping[str, str] = {
    "queued": "대기",
    "picked": "실행 중",
    "successful": "성공",
    "exception": "오류",
    "canceled": "취소",
    "deleted": "삭제",
    "failed": "실패",
}
_EVENTS: Mapping[str, str] = {
    "ASKED": "결제를 시작했어요",
    "FOUND": "같은 주문에 한 번 더 결제된 돈을 찾았어요",
    "REGISTERED": "결제사에 금액을 등록했어요",
    "LOOKED": "결제사 기록을 확인했어요",
    "EXPIRED": "이 결제를 더는 기다리지 않아요",
    "REFUND_TRIED": "결제사에 환불을 요청했어요",
    "REFUND_REFUSED": "결제사가 환불을 거절했어요",
    "REFUND_GIVEN_UP": "운영자가 환불을 그만두기로 했어요",
    "ACCOUNT_NAMED": "환불 계좌가 등록됐어요",
}
_STEPS: Mapping[str, str] = {
    "BOUGHT": "구매하기를 눌렀어요",
    "PAID": "구매자가 결제한 때",
    "APPROVED": "판매자가 판매승인했어요",
    "CONFIRMED": "구매자가 구매확정했어요",
    "CANCEL_ASKED": "거래 취소를 접수했어요",
    "CANCELLED": "거래가 취소됐어요",
}
_REFUNDS: Mapping[str, str] = {
    "REQUESTED": "환불을 접수했어요",
    "SUCCEEDED": "환불이 끝났어요",
    "FAILED": "환불하지 못했어요",
}

# What is booked later than this after it happened says both times.
LATE = timedelta(minutes=1)
# Of what a webhook tells: which payment it is about, and whose shop, goes without saying.
_OURS = {"merchant_uid", "paymentId", "storeId"}
_SEND_BACK = re.compile(r"send back ([0-9]+)")

Detail = tuple[str, str, bool]


@dataclass(frozen=True, slots=True)
class Told:
    """A line of a history: a `title` in words, details as (label, text, whether the text is words
    of ours to be translated), and what `kind` of line it is."""

    at: datetime
    kind: str
    title: str
    details: Sequence[Detail]


def tell(found: Moment) -> Told:
    """A moment in words. Who knows none for it shows its own name."""
    title, details = _TELLING[found.source](found)
    return Told(found.at, found.source, title, [d for d in details if d[1]])


def _event(found: Moment) -> tuple[str, list[Detail]]:
    facts = found.facts
    before, after = facts.get("status_before"), facts.get("status_after")
    details: list[Detail] = [("계기", DOORS.get(facts.get("door", ""), ""), True)]
    if "state" in facts:
        currency = facts["currency"]
        details += [
            ("결제사 기록", SEEN.get(facts["state"], facts["state"]), True),
            ("결제사 번호", facts["reference"], False),
        ]
        if facts["state"] == "PAID":  # before, it is what was asked for
            details.append(("결제된 금액", money(facts["captured"], currency), False))
        if facts["returned"]:
            details.append(("환불된 금액", money(facts["returned"], currency), False))
        if facts.get("deposited"):
            details.append(("입금된 금액", money(facts["deposited"], currency), False))
    elif found.what == "LOOKED":
        details.append(("결제사 기록", "기록 없음", True))
    if "amount" in facts:
        details.append(("금액", money(facts["amount"], KRW), False))
    if before != after and before is not None:
        details.append(("전", PAYMENT_STATUS[before], True))
        details.append(("후", PAYMENT_STATUS[str(after)], True))
    details.append(("결제사의 말", facts.get("note", ""), False))
    return _EVENTS.get(found.what, found.what), details


def _step(found: Moment) -> tuple[str, list[Detail]]:
    if found.what != "CANCEL_ASKED":
        return _STEPS[found.what], []
    by, reason = found.facts["by"], found.facts["reason"]
    return _STEPS[found.what], [("누가", PARTIES.get(by, by), True), _why(reason)]


def _refund(found: Moment) -> tuple[str, list[Detail]]:
    facts = found.facts
    by = facts.get("by") or ""
    return _REFUNDS[found.what], [
        ("금액", money(facts["amount"], KRW), False),
        ("누가", PARTIES.get(by, by), True),
        _why(facts.get("reason") or facts.get("why") or ""),
    ]


def _why(reason: str) -> Detail:
    """Somebody's own words, or a code of ours in words."""
    return "까닭", REASONS.get(reason, reason), reason in REASONS


def _transfer(found: Moment) -> tuple[str, list[Detail]]:
    facts = found.facts
    occurred = datetime.fromisoformat(facts["occurred_at"])
    late = abs(found.at - occurred) >= LATE
    return TRANSFERS.get(found.what, found.what), [
        ("금액", money(facts["amount"], facts["currency"]), False),
        ("나간 계정", account(facts["debit"]), True),
        ("들어온 계정", account(facts["credit"]), True),
        ("일어난 때", to_the_second(occurred) if late else "", False),
    ]


def _webhook(found: Moment) -> tuple[str, list[Detail]]:
    facts = found.facts
    handled = facts["handled_at"]
    details: list[Detail] = [("PortOne", found.what, False)]
    details += [
        (name, str(text), False) for name, text in facts["told"].items() if name not in _OURS
    ]
    when = to_the_second(datetime.fromisoformat(handled)) if handled else "아직"
    return "웹훅이 왔어요", [*details, ("처리한 때", when, not handled)]


def _incident(found: Moment) -> tuple[str, list[Detail]]:
    meaning = INCIDENTS.get(found.what, found.what)
    return "이상 내역이 생겼어요", [
        ("종류", found.what, False),
        ("뜻", meaning, True),
        *((name, word(value), False) for name, value in found.facts["seen"].items()),
    ]


def _act(found: Moment) -> tuple[str, list[Detail]]:
    return "운영자가 처리했어요", [
        ("일", act(found.what), True),
        ("금액", act_amount(found.what), False),
        ("누가", found.actor or "", False),
        ("까닭", found.facts["reason"], False),
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


def money(amount: int, currency: str) -> str:
    """12,000원; of other currencies the minor units."""
    return f"{amount:,}원" if currency == KRW else f"{amount:,} {currency}"


def account(name: str) -> str:
    """An account of the ledger by its name in words."""
    return ACCOUNTS.get(name, "판매자" if name.startswith("seller:") else name)


def act(name: str) -> str:
    """`send back 400` has the amount in its name: see `act_amount`."""
    return "일부 환불" if _SEND_BACK.fullmatch(name) else ACTS.get(name, name)


def act_amount(name: str) -> str:
    sent = _SEND_BACK.fullmatch(name)
    return money(int(sent[1]), KRW) if sent else ""


def said(text: str, translate: Callable[[str], str]) -> str:
    """Words of ours in the reader's language; a name nobody has words for as it is."""
    return text if text.isascii() else translate(text)


def word(value: Any) -> str:
    """A fact that was seen, whatever it is."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {word(one)}" for name, one in value.items())
    return "–" if value is None else str(value)


def short(id: str) -> str:
    """The end of an id, which differs where the beginning is the same."""
    return f"…{id[-8:]}"


def to_the_second(at: datetime) -> str:
    """2026. 11. 22. 14:05:09, in Korea: much happens within a minute."""
    return f"{moment(at)}:{at:%S}"


def month_day(at: datetime) -> str:
    there = at.astimezone(KOREA)
    return f"{there.month}. {there.day}."


FILTERS: Mapping[str, Any] = {
    "payment_status": PAYMENT_STATUS.__getitem__,
    "party": lambda name: PARTIES.get(name, name),
    "transfer": lambda kind: TRANSFERS.get(kind, kind),
    "account": account,
    "act": act,
    "act_amount": act_amount,
    "said": said,
    "incident": lambda kind: INCIDENTS.get(kind, ""),
    "job": lambda name: JOBS.get(name, name),
    "job_status": lambda name: JOB_STATUS.get(name, name),
    "pending": PENDING.__getitem__,
    "money": money,
    "word": word,
    "short": short,
    "month_day": month_day,
    "to_the_second": to_the_second,
}
