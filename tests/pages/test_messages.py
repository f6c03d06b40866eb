"""Every text a person reads is in the catalogue, in both languages and in every form it has."""

import io
import re
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_keywords, parse_mapping_cfg
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from market import web
from market.shared.notification import NotificationKind
from market.web import console_filters, filters
from market.web.messages import CONSOLE_FLASH, FLASH, FLASH_FAILURES
from market.web.translation import Translator

ROOT = Path(web.__file__).parent
CATALOGUE = ROOT / "locale" / "en" / "LC_MESSAGES"
KEYWORDS = parse_keywords(["_", "_n:1,1", "_p:1c,2"])
MAPPING = """
[python: **.py]
[jinja2: templates/**.html]
trim_blocks = true
lstrip_blocks = true
silent = false
"""
HANGUL = re.compile("[가-힣]")
Key = tuple[str | None, object]


def key(message: Message) -> Key:
    return message.context, message.id


@pytest.fixture(scope="module")
def spoken() -> set[Key]:
    """What the source and the templates say."""
    methods, options = parse_mapping_cfg(io.StringIO(MAPPING))  # type: ignore[no-untyped-call]
    found = extract_from_dir(ROOT, methods, options, keywords=KEYWORDS)
    return {(context, text) for _, _, text, _, context in found}


@pytest.fixture(scope="module")
def catalogue() -> Catalog:
    with (CATALOGUE / "messages.po").open("rb") as text:
        return read_po(text)


def entries(catalogue: Catalog) -> dict[Key, Message]:
    return {key(message): message for message in catalogue if message.id}


def forms(text: object) -> list[str]:
    return [text] if isinstance(text, str) else list(text)  # type: ignore[call-overload]


def test_the_catalogue_has_what_is_said_and_nothing_else(
    spoken: set[Key], catalogue: Catalog
) -> None:
    assert spoken, "nothing was extracted"
    known = entries(catalogue).keys()
    assert (spoken - known, known - spoken) == (set(), set()), "make messages"


def test_every_text_has_its_english(catalogue: Catalog) -> None:
    for message in entries(catalogue).values():
        assert all(forms(message.string)), message.id
        assert not message.fuzzy, message.id
        assert not any(HANGUL.search(form) for form in forms(message.string)), message.id
        assert len(forms(message.string)) == len(forms(message.id)), message.id


def test_both_languages_fill_in_the_same(catalogue: Catalog) -> None:
    for message in entries(catalogue).values():
        wanted = set(re.findall(r"{\w+}", forms(message.id)[0]))
        for form in forms(message.string):
            assert set(re.findall(r"{\w+}", form)) == wanted, message.id


def test_the_compiled_catalogue_is_the_one_that_is_read(catalogue: Catalog) -> None:
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    assert compiled.getvalue() == (CATALOGUE / "messages.mo").read_bytes(), "make messages"


def test_no_korean_stands_in_a_template_without_its_mark() -> None:
    marked = re.compile(r"""\b_[np]?\((?:"[^"]*"|'[^']*'|, )*""")
    for path in (ROOT / "templates").rglob("*.html"):
        bare = marked.sub("", path.read_text()).replace('hreflang="ko">한국어', "")
        assert not HANGUL.search(bare), (path.name, HANGUL.findall(bare))


def test_an_act_and_a_state_are_two_things_in_english_too() -> None:
    english = Translator("en")
    for act, state in (("판매승인", "판매승인"), ("구매확정", "구매확정")):
        assert english.pgettext("button", act) != english.gettext(state)
    assert english.gettext("거래 취소하기") != english.gettext("거래 취소")


def test_english_counts() -> None:
    english, korean = Translator("en"), Translator("ko")
    assert [english.ngettext("{n}일", n) for n in (0, 1, 14)] == ["0 days", "1 day", "14 days"]
    assert [korean.ngettext("{n}일", n) for n in (0, 1, 14)] == ["0일", "1일", "14일"]


def test_every_notice_has_words_for_both_sides() -> None:
    assert set(filters.TOLD_BUYER) == set(filters.TOLD_SELLER) == set(NotificationKind)


def test_what_did_not_come_off_is_one_of_what_pages_say() -> None:
    assert FLASH.keys() >= FLASH_FAILURES
    assert not FLASH.keys() & CONSOLE_FLASH.keys()


def test_every_job_has_words() -> None:
    source = (ROOT.parent / "worker.py").read_text()
    jobs = set(re.findall(r'\("(\w+)", EVERY_', source))
    assert jobs, "no timetable was found"
    assert jobs <= console_filters.JOBS.keys()
