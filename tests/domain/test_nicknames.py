"""Which nicknames are the market's own, and what is proposed instead of a taken one."""

import pytest

from market.members.nicknames import (
    NICKNAME_DEFAULT,
    NICKNAME_LENGTH_MAX,
    NicknameReserved,
    fitting,
    kept,
    nickname,
    proposals,
)

RESERVED = [
    *("운영자", "고객센터", "원티드마켓", "admin", "관리자", "운영팀", "공식", "어드민", "support"),
    *("Admin", "ＡＤＭＩＮ", "аdmin", "adm1n", "ADMlN", "àdmin", "admin1", "admin 01", "a.d.m.i.n"),
    *(
        "운 영 자",
        "운영\u200b자",
        "운영ㅈㅏ",
        "ㅇㅜㄴㅇㅕㅇㅈㅏ",
        "운영\u3164자",
        "운.영.자",
        "\uc6b4\u110b\u1167\u11bc자",
    ),
    *("고객센터 김보라", "원티드마켓 고객지원", "관리자님", "★운영자★", "admin님", "Admin_kim"),
    *(
        "Wanted Market",
        "wanted-market",
        "원티드 마켓",
        "WantedMarketHelp",
        "원티드Market",
        "official",
    ),
]
FREE = [
    "보라",
    "badminton",
    "배드민턴",
    "관리",
    "운영",
    "센터",
    "마켓",
    "원티드",
    "❤️",
    "大韓",
    "a",
    "루트",
]


@pytest.mark.parametrize("name", RESERVED)
def test_a_nickname_that_looks_like_the_markets_is_reserved(name: str) -> None:
    with pytest.raises(NicknameReserved):
        nickname(name)
    assert fitting(name) == NICKNAME_DEFAULT
    assert kept(name, operator=False) == NICKNAME_DEFAULT


@pytest.mark.parametrize("name", FREE)
def test_other_names_are_free(name: str) -> None:
    assert nickname(name) == fitting(name) == kept(name, operator=False) == name


def test_an_operator_keeps_the_name() -> None:
    assert kept("운영자", operator=True) == "운영자"


@pytest.mark.parametrize(
    ("said", "made"),
    [
        ("a\0b\u202ec", "abc"),
        (" \n", NICKNAME_DEFAULT),
        ("\u3164\u200b", NICKNAME_DEFAULT),
        ("n" * 99, "n" * 30),
        ("n" * 28 + "👨‍👩‍👧‍👦", "n" * 28),
        ("\u1112\u1161\u11ab" * 30, "한" * 30),
    ],
)
def test_a_providers_name_becomes_a_valid_nickname(said: str, made: str) -> None:
    assert fitting(said) == made


def test_nickname_proposals_begin_with_the_name_and_are_valid() -> None:
    for name, second in (
        ("보라", "보라2"),
        ("n" * 30, "n" * 29 + "2"),
        ("n" * 28 + "❤️", "n" * 28 + "2"),
    ):
        found = proposals(name)
        assert found[:2] == [name, second]
        assert len(set(found)) == len(found)
        assert max(map(len, found)) <= NICKNAME_LENGTH_MAX
