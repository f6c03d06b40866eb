"""Wallets, gift certificates and card companies, in V1's words and V2's."""

from typing import NamedTuple

# V1's words for wallets, some with a spelling of their own, beside V2's EasyPayProvider.
WALLETS = {
    "kakaopay": "KAKAOPAY",
    "naverpay": "NAVERPAY",
    "naverpay_card": "NAVERPAY",
    "naverpay_point": "NAVERPAY",
    "tosspay": "TOSSPAY",
    "tosspay_card": "TOSSPAY",
    "tosspay_money": "TOSSPAY",
    "toss_brandpay": "TOSS_BRANDPAY",
    "payco": "PAYCO",
    "samsung": "SAMSUNGPAY",
    "samsungpay": "SAMSUNGPAY",
    "applepay": "APPLEPAY",
    "ssgpay": "SSGPAY",
    "lpay": "LPAY",
    "lgpay": "LGPAY",
    "kpay": "KPAY",
    "skpay": "SKPAY",
    "chai": "CHAI",
    "smilepay": "SMILEPAY",
    "pinpay": "PINPAY",
    "kb_app": "KB_APP",
    "paypal": "PAYPAL",
    "alipay": "ALIPAY",
}
# V1's words for gift certificates beside V2's PaymentMethodGiftCertificateType.
GIFTS = {
    "cultureland": "CULTURELAND",
    "smartculture": "SMART_MUNSANG",
    "booknlife": "BOOKNLIFE",
    "happymoney": "HAPPYMONEY",
    "culturegift": "CULTUREGIFT",
}
DEFAULT_WALLET = "KAKAOPAY"


def v1_word(brand: str | None) -> str | None:
    """V1's word for a wallet or a gift certificate that V2 names."""
    both = {**GIFTS, **WALLETS}
    return next((word for word, name in both.items() if name == brand), None)


class CardCompany(NamedTuple):
    """One card company as both versions name it."""

    name: str
    code: str
    korean: str


_COMPANIES = (
    CardCompany("BC_CARD", "361", "BC카드"),
    CardCompany("KWANGJU_CARD", "364", "광주카드"),
    CardCompany("SAMSUNG_CARD", "365", "삼성카드"),
    CardCompany("SHINHAN_CARD", "366", "신한카드"),
    CardCompany("HYUNDAI_CARD", "367", "현대카드"),
    CardCompany("LOTTE_CARD", "368", "롯데카드"),
    CardCompany("SUHYUP_CARD", "369", "수협카드"),
    CardCompany("CITI_CARD", "370", "씨티카드"),
    CardCompany("NH_CARD", "371", "NH카드"),
    CardCompany("JEONBUK_CARD", "372", "전북카드"),
    CardCompany("JEJU_CARD", "373", "제주카드"),
    CardCompany("HANA_CARD", "374", "하나카드"),
    CardCompany("KOOKMIN_CARD", "381", "국민카드"),
    CardCompany("WOORI_CARD", "041", "우리카드"),
    CardCompany("POST_CARD", "071", "우체국카드"),
)
CARD_COMPANIES = {company.code: company for company in _COMPANIES}
