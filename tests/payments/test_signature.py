"""A webhook is believed to come from PortOne V2 only with its signature."""

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from portone_server_sdk import webhook as official

from market.payments.portone.signature import SignatureRefused, WebhookSeal

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SECRET = "whsec_c2FuZGJveC13ZWJob29rLXNlY3JldC1ub3QtcmVhbCE="
NEXT_SECRET = "whsec_c2Vjb25kLXNlY3JldC1vZi10aGUtc2FuZGJveCE="
STRANGER = "whsec_Zm9yZ2VkLXNlY3JldC1vZi1hbi1hdHRhY2tlcg=="
BODY = '{"type":"Transaction.Paid","data":{"paymentId":"양말"}}'.encode()
SEAL = WebhookSeal.of(SECRET)


def signature(secret: str, body: bytes = BODY, at: datetime = NOW, id: str = "wh_1") -> str:
    """Straight from the Standard Webhooks document, and from nothing of ours."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{id}.{int(at.timestamp())}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def headers(*signatures: str, at: datetime = NOW, id: str = "wh_1") -> dict[str, str]:
    return {
        "webhook-id": id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def refused(given: Mapping[str, str], body: bytes = BODY, seal: WebhookSeal = SEAL) -> bool:
    try:
        seal.verify(given, body, NOW)
    except SignatureRefused:
        return True
    return False


def test_what_the_gateway_signed_is_believed_and_named() -> None:
    assert SEAL.verify(headers(signature(SECRET)), BODY, NOW) == "wh_1"


def test_the_document_s_own_example_is_believed() -> None:
    seal = WebhookSeal.of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    example = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    then = datetime.fromtimestamp(1614265330, UTC)
    assert seal.verify(example, b'{"test": 2432232314}', then) == "msg_p5jXN8AQM9LWM0D4loKWxJek"


@pytest.mark.parametrize("spell", [str.lower, str.upper, str.title])
def test_names_of_headers_may_be_spelt_in_any_case(spell: Callable[[str], str]) -> None:
    given = {spell(name): value for name, value in headers(signature(SECRET)).items()}
    assert not refused(given)


def test_a_secret_goes_with_or_without_its_prefix() -> None:
    bare = WebhookSeal.of(SECRET.removeprefix("whsec_"))
    assert not refused(headers(signature(SECRET)), seal=bare)


def test_while_secrets_change_either_will_do() -> None:
    both = WebhookSeal.of(SECRET, NEXT_SECRET)
    for secret in (SECRET, NEXT_SECRET):
        assert not refused(headers(signature(secret)), seal=both)
    assert refused(headers(signature(STRANGER)), seal=both)


def test_one_good_signature_among_several_is_enough() -> None:
    given = headers("v1a,later", signature(STRANGER), "", "v1", "nonsense,", signature(SECRET))
    assert not refused(given)


@pytest.mark.parametrize(
    "claim",
    [
        "",
        " ",
        "v1",
        "v1,",
        ",",
        "v1,!!!",
        "v1,서명",
        "v1,\udcff",
        signature(STRANGER),
        signature(SECRET).replace("v1,", "v2,"),
        signature(SECRET).removeprefix("v1,"),
        signature(SECRET) + "A",
        signature(SECRET)[:-1],
        signature(SECRET, BODY + b" "),
        signature(SECRET, id="wh_2"),
        signature(SECRET, at=NOW + timedelta(seconds=1)),
    ],
)
def test_any_other_signature_is_refused_alike(claim: str) -> None:
    assert refused(headers(claim))


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_without_one_of_the_three_headers_it_is_refused(name: str) -> None:
    given = headers(signature(SECRET))
    assert refused({**given, name: ""})
    del given[name]
    assert refused(given)


@pytest.mark.parametrize(
    ("seconds", "too_far"), [(0, False), (300, False), (301, True), (-300, False), (-301, True)]
)
def test_five_minutes_either_way_are_tolerated(seconds: int, too_far: bool) -> None:
    at = NOW + timedelta(seconds=seconds)
    assert refused(headers(signature(SECRET, at=at), at=at)) is too_far


@pytest.mark.parametrize(
    "stamp", ["", "now", "-1", "1e9", " 1", "1_0", "nan", "inf", "９" * 10, "9" * 5000]
)
def test_a_time_that_is_none_is_refused(stamp: str) -> None:
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    digest = hmac.digest(key, f"wh_1.{stamp}.".encode() + BODY, hashlib.sha256)
    claim = "v1," + base64.b64encode(digest).decode()
    assert refused({**headers(claim), "webhook-timestamp": stamp})


def test_it_is_the_bytes_that_are_signed_not_what_they_say() -> None:
    given = headers(signature(SECRET))
    assert refused(given, BODY.replace(b":", b": "))
    no_text = b"\xff\x00not text"
    assert not refused(headers(signature(SECRET, no_text)), no_text)


@given(body=st.binary(max_size=200), flip=st.integers(0, 1599))
def test_one_flipped_bit_is_enough_to_be_refused(body: bytes, flip: int) -> None:
    given_ = headers(signature(SECRET, body))
    assert not refused(given_, body)
    if body:
        place, bit = flip // 8 % len(body), flip % 8
        changed = bytes([*body[:place], body[place] ^ 1 << bit, *body[place + 1 :]])
        assert refused(given_, changed)


@given(claim=st.text(max_size=80), stamp=st.text(max_size=20), id=st.text(max_size=20))
def test_whatever_a_stranger_sends_is_refused_and_nothing_breaks(
    claim: str, stamp: str, id: str
) -> None:
    given_ = {"webhook-id": id, "webhook-timestamp": stamp, "webhook-signature": claim}
    assert refused(given_)


@pytest.mark.parametrize("secrets", [(), ("",), ("whsec_",), ("*not base64*",), (SECRET,) * 3])
def test_secrets_that_would_not_protect_are_not_taken(secrets: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="webhook secret"):
        WebhookSeal.of(*secrets)


@pytest.mark.parametrize("secret", [SECRET, STRANGER])
@pytest.mark.parametrize("tampered", [False, True])
def test_the_official_verifier_decides_the_same(secret: str, tampered: bool) -> None:
    now = datetime.now(UTC)  # the official one knows no other clock
    given = headers(signature(secret, at=now), at=now)
    body = BODY + b" " if tampered else BODY
    right = secret == SECRET and not tampered
    try:
        official.verify(SECRET, body.decode(), given)
    except official.WebhookVerificationError:
        assert not right
    else:
        assert right
    try:
        assert SEAL.verify(given, body, now) == "wh_1"
    except SignatureRefused:
        assert not right
    else:
        assert right
