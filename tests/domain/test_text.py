"""Text is what is seen: what is kept of it, and what is compared."""

import pytest

from market.shared.text import clean, cut, line, mailbox, narrow, prose, skeleton, units, won, words

UNSEEN = [
    *("\u3164", "\uffa0", "\u115f\u1160", "\u2800", "\u200b", "\u2060", "\ufeff", "\u00ad"),
    *("\ufe0f", "\u200e", "\u200f", "\u061c", "\u034f", "\u180e", "\u17b4", "\u2062", "\u200d"),
    *("\U000e0041", "\U000e0001\U000e007f", "\U000e0100", "\ufff9\ufffb", "\ufffc", "\U00013441"),
    *("\u0301", "\u0301\u0302", " \u20e3", "\ue000", "\U0010ffff", "\u3000\u00a0", "\u2000", ""),
]
# What they are made of shows nothing by itself, and still makes them what they are.
PICTURES = [
    *("❤️", "❤", "👨‍👩‍👧‍👦", "👩🏽‍🚀", "👁️‍🗨️", "1️⃣", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🇰🇷", "🫨", "☎︎"),
    *("大韓民國", "葛󠄀", "한글", "ㅋㅋ", "ᄀ", "نامه‌ای", "क्‍ष", "ᠠ᠋", "…", "€", "½"),
]


@pytest.mark.parametrize("text", UNSEEN)
def test_what_is_not_seen_is_no_text(text: str) -> None:
    assert (clean(text), line(text), skeleton(text)) == ("", "", "")


@pytest.mark.parametrize("text", PICTURES)
def test_pictures_and_letters_of_all_tongues_stay_as_they_are(text: str) -> None:
    assert clean(text) == text
    assert skeleton(text)


@pytest.mark.parametrize("unseen", [text for text in UNSEEN if text.strip()])
def test_what_is_not_seen_leaves_no_trace_in_what_is(unseen: str) -> None:
    hidden = unseen.strip().lstrip("\u0301\u0302\u20e3").replace("\u2800", "")
    hidden = "".join(letter for letter in hidden if letter not in "\ue000\U0010ffff")
    assert clean(f"보라{hidden}색") == "보라색"
    assert clean(f"{hidden}a{hidden}") == "a"


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("\u1106\u1162\u11a8\u1107\u116e\u11a8", "맥북"),
        ("e\u0301", "é"),
        ("ᄀ\u200bᅡ", "가"),
        ("홍\u200d길\u200c동", "홍길동"),
        ("a\ufe0f1\ufe0f", "a1"),
        ("a\u200d👩", "a👩"),
        ("🏴\U000e0061\U000e0062\U000e007f", "🏴"),
        ("a" + "\u0301" * 9, "á\u0301\u0301\u0301\u0301"),
        ("\u0301a", "a"),
        ("운영\u2800자", "운영 자"),
        ("ＵＳＢ", "ＵＳＢ"),
    ],
)
def test_a_text_is_kept_composed_and_without_what_is_not_seen(written: str, kept: str) -> None:
    assert clean(written) == kept
    assert clean(kept) == kept


@pytest.mark.parametrize("odd", ["a\u202eb", "\u2066", "a\0b", "\x1b", "\x9b", "\u202e\u202c"])
def test_what_has_to_be_refused_is_not_dropped(odd: str) -> None:
    assert clean(odd) == odd


def test_a_line_has_single_blanks_and_prose_its_lines() -> None:
    assert line(" 원목\u3000\u00a0의자 \n") == "원목 의자"
    assert prose("\u200b a\r\n\r\nb\u202e c \u2069") == "a\n\nb c"
    assert prose("\ufeff\u3164") == ""


@pytest.mark.parametrize(
    "same",
    [
        ["admin", "ADMIN", "Ａｄｍｉｎ", "аdmin", "АDМIN", "ADMlN", "adm1n", "𝐚𝐝𝐦𝐢𝐧", "a d m i n"],
        [
            "운영자",
            "운 영 자",
            "운영\u200b자",
            "운영\u3164자",
            "\uc6b4\u110b\u1167\u11bc자",
            "운영ㅈㅏ",
        ],
        ["b0ra", "bora", "BORA", "bοra", "ｂｏｒａ"],
        ["rnember", "member"],
        ["❤️보라", "❤보라"],
        ["Мир", "мир", "МИР"],
        ["é", "e\u0301", "É"],
        ["車", "\uf902"],
    ],
)
def test_what_looks_alike_has_one_skeleton(same: list[str]) -> None:
    assert len({skeleton(text) for text in same}) == 1


def test_what_looks_different_has_another() -> None:
    others = [
        "보라",
        "보리",
        "각가",
        "가까",
        "van",
        "nan",
        "user1",
        "user2",
        "é",
        "e",
        "大",
        "太",
        ".",
    ]
    assert len({skeleton(text) for text in others}) == len(others)


@pytest.mark.parametrize(
    "pasted",
    [
        "bora@example.com",
        " Bora@Example.COM\u200b",
        "\ufeffbora@example.com",
        "bo\u00adra@exam\u2060ple.com",
        "ｂｏｒａ＠ｅｘａｍｐｌｅ．ｃｏｍ",
        "bora﹫example。com",
        "bora@example｡com",
        "bora@example.com.",
        "bora@example.com\ufe0f",
    ],
)
def test_one_mailbox_has_one_spelling(pasted: str) -> None:
    assert mailbox(pasted) == "bora@example.com"


def test_domains_of_all_tongues_are_spelled_in_ascii() -> None:
    assert mailbox("보라@예시.한국") == mailbox("보라@xn--vv4b11d.xn--3e0b707e")
    assert mailbox("bora@예시.kr") == "bora@xn--vv4b11d.kr"
    assert mailbox("а@example.com") != mailbox("a@example.com")  # another mailbox, in Cyrillic
    for odd in ("", "@", "a@", "a@-\u2763.", "no address"):
        assert isinstance(mailbox(odd), str)


@pytest.mark.parametrize(
    ("typed", "amount"),
    [
        *(
            ("3000", 3000),
            ("3000원", 3000),
            ("₩3,000", 3000),
            ("３，０００", 3000),
            ("3 000", 3000),
        ),
        *(("￦３０００", 3000), ("\\3,000", 3000), (" 3,000 원 ", 3000), ("3000\u200b", 3000)),
        *(("KRW 3,000", 3000), ("3,000 KRW", 3000), ("3\u00a0000", 3000), ("1,234,567", 1234567)),
        *(("0", 0), ("007", 7)),
        *((odd, None) for odd in ("3,0,0,0", ",,,5", "5,", "3.000", "1만", "1e4", "٣٠٠٠", "-5")),
        *((odd, None) for odd in ("", "₩", "원", "3000$", "30 00", "1,0000", "0,300", "1,000 000")),
        *((odd, None) for odd in ("−5", "+5", "0x10", "1_000", "10²", "③", "½", "3000\n4", "三千")),
        *((odd, None) for odd in ("9" * 13, "NaN", "3,000.00", "1'000", "₩₩5", "5원원", "𝟓")),
    ],
)
def test_an_amount_is_read_as_people_type_it(typed: str, amount: int | None) -> None:
    assert won(typed) == amount


def test_a_number_of_things_is_read_as_people_type_it() -> None:
    assert [units(text) for text in ("3", "３개", "1,000 개", "₩3", "3원", "-1")] == [
        *(3, 3, 1000, None, None, None)
    ]


def test_words_are_parted_by_blanks_of_any_width_and_named_once() -> None:
    assert words(" 아이폰\u3000실버  13\u00a0실버\u200b ") == ["아이폰", "실버", "13"]
    assert words("\u3164 \u200b") == []


def test_a_text_is_cut_between_pictures() -> None:
    assert cut("a👨‍👩‍👧‍👦b", 7) == "a"
    assert cut("a👨‍👩‍👧‍👦b", 8) == "a👨‍👩‍👧‍👦"
    assert narrow("ＡＢ　１") == "AB 1"
