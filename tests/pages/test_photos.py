"""Photos: what is taken, what is refused, and what is left of them."""

import io
import re
import struct
import zlib
from typing import Any

import pytest
from PIL import Image

from market.app import Market
from market.products.domain import PhotoRefused
from market.products.ports import PHOTO_BYTES_MAX
from tests.web.person import CHAIR, picture

from .conftest import Guest


def photo(body: bytes, name: str = "photo.jpg") -> Any:
    return ("photos", (name, body, "image/jpeg"))


def with_secrets() -> bytes:
    exif = Image.Exif()
    exif[0x010F] = "the maker of the camera"
    exif[0x0112] = 6  # on its side
    return picture(640, 480, exif=exif.tobytes())


def bomb() -> bytes:
    """A PNG of a few hundred bytes that says it has 30,000 × 30,000 points."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0))
    lines = chunk(b"IDAT", zlib.compress(b"\0" * 10_000))
    return b"\x89PNG\r\n\x1a\n" + head + lines + chunk(b"IEND", b"")


async def test_a_photo_is_shown_upright_small_and_without_its_secrets(guest: Guest) -> None:
    await guest.sign_up()
    listed = await guest.send("/sell", files=[photo(with_secrets())], **CHAIR)
    page = await guest.get(listed.headers["location"])
    address = re.findall(r'src="(/photos/\w+)"', page.text)[0]
    shown = await guest.get(address)
    assert shown.headers["content-type"] == "image/jpeg"
    assert "immutable" in shown.headers["cache-control"]
    assert b"maker" not in shown.content
    with Image.open(io.BytesIO(shown.content)) as kept:
        assert kept.size == (480, 640)
        assert not kept.getexif()
    small = await guest.get(f"{address}/small")
    assert len(small.content) < 60_000


@pytest.mark.parametrize(
    "body",
    [
        b"<script>alert(1)</script>",
        b"GIF89a" + b"\0" * 20,
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        bomb(),
        picture()[:2000],
        b"\xff\xd8" + b"\0" * PHOTO_BYTES_MAX,
    ],
    ids=["script", "gif", "svg", "bomb", "torn", "large"],
)
async def test_what_is_no_photo_is_refused(market: Market, body: bytes) -> None:
    with pytest.raises(PhotoRefused):
        await market.products.process_image(body)


async def test_a_refused_photo_lists_nothing_and_says_so(guest: Guest) -> None:
    await guest.sign_up()
    refused = await guest.send("/sell", files=[photo(b"no photo")], **CHAIR)
    assert (refused.status_code, "올릴 수 없는 파일" in refused.text) == (400, True)
    assert "원목 의자" not in (await guest.get("/")).text


async def test_a_product_has_five_photos_at_most(guest: Guest) -> None:
    await guest.sign_up()
    many = [photo(picture(60, 60)) for _ in range(4)]
    listed = await guest.send("/sell", files=many, **CHAIR)
    place = listed.headers["location"].partition("?")[0]
    refused = await guest.send(f"{place}/edit", files=many[:2], **CHAIR)
    assert (refused.status_code, "다섯 장까지" in refused.text) == (400, True)
    kept = re.findall(r"gone-\w+", refused.text)
    assert len(kept) == 4
    swapped = await guest.send(f"{place}/edit", files=many[:2], **{kept[0]: "on"}, **CHAIR)
    assert swapped.status_code == 303
    assert (await guest.get(place)).text.count('src="/photos/') == 5
