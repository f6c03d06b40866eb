"""Bank codes: V1's standard three digits beside V2's enum, with Korean names."""

from typing import NamedTuple


class Bank(NamedTuple):
    """One bank as both versions name it."""

    name: str
    code: str
    korean: str


DEFAULT = "SHINHAN"
_BANKS = (
    Bank("KDB", "002", "한국산업은행"),
    Bank("IBK", "003", "기업은행"),
    Bank("KOOKMIN", "004", "국민은행"),
    Bank("SUHYUP", "007", "수협은행"),
    Bank("NONGHYUP", "011", "NH농협은행"),
    Bank("LOCAL_NONGHYUP", "012", "지역농축협"),
    Bank("WOORI", "020", "우리은행"),
    Bank("STANDARD_CHARTERED", "023", "SC제일은행"),
    Bank("CITI", "027", "한국씨티은행"),
    Bank("DAEGU", "031", "아이엠뱅크"),
    Bank("BUSAN", "032", "부산은행"),
    Bank("KWANGJU", "034", "광주은행"),
    Bank("JEONBUK", "037", "전북은행"),
    Bank("KYONGNAM", "039", "경남은행"),
    Bank("KFCC", "045", "새마을금고"),
    Bank("SHINHYUP", "048", "신협"),
    Bank("POST", "071", "우체국"),
    Bank("HANA", "081", "하나은행"),
    Bank("SHINHAN", "088", "신한은행"),
    Bank("K_BANK", "089", "케이뱅크"),
    Bank("KAKAO", "090", "카카오뱅크"),
    Bank("TOSS", "092", "토스뱅크"),
)
BY_NAME = {bank.name: bank for bank in _BANKS}
BY_CODE = {bank.code: bank for bank in _BANKS}


def find(text: str) -> Bank | None:
    """A bank by its V2 name or its three-digit code."""
    return BY_NAME.get(text) or BY_CODE.get(text)
