"""A photo looks like itself, and one that is none costs nobody anything (B11)."""

import asyncio
import io
import os
import re
import signal
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageCms, ImageDraw

from market.products.domain import PhotoRefused
from market.products.images import program as image_process
from market.products.images.header import SCANS_MAX, check
from market.products.images.pillow import CONCURRENCY, WAITING_MAX, PillowImageProcessor
from market.shared.errors import Unavailable

TOMATO = (230, 60, 40)
GREYS = (0, 1, 64, 127, 128, 200, 254, 255)


def stored(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    body = io.BytesIO()
    image.save(body, kind, **options)
    return body.getvalue()


async def shown(raw: bytes) -> Image.Image:
    made = await PillowImageProcessor().process(raw)
    return Image.open(io.BytesIO(made.full))


def middle(image: Image.Image) -> tuple[int, ...]:
    found = image.convert("RGB").getpixel((image.width // 2, image.height // 2))
    assert isinstance(found, tuple)
    return found


def apart(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


def png(depth: int, colours: int, row: bytes, *more: tuple[bytes, bytes]) -> bytes:
    """A PNG of 64 × 64 equal points, which Pillow would not write like this."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        sum = zlib.crc32(kind + body)
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", sum)

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 64, depth, colours, 0, 0, 0))
    rest = b"".join(chunk(*one) for one in more)
    lines = chunk(b"IDAT", zlib.compress((b"\0" + row) * 64))
    return b"\x89PNG\r\n\x1a\n" + head + rest + lines + chunk(b"IEND", b"")


GREY, RGB, GREY_ALPHA, RGBA = 0, 2, 4, 6


@pytest.mark.parametrize("grey", GREYS)
async def test_a_grey_is_the_same_grey_in_every_depth(grey: int) -> None:
    deep = struct.pack(">H", grey * 257)
    for raw in (
        png(16, GREY, deep * 64),
        png(16, RGB, deep * 3 * 64),
        png(16, GREY_ALPHA, (deep + b"\xff\xff") * 64),
        png(16, RGBA, (deep * 3 + b"\xff\xff") * 64),
        stored(Image.new("L", (64, 64), grey)),
        stored(Image.new("LA", (64, 64), (grey, 255))),
        stored(Image.new("L", (64, 64), grey), "JPEG", quality=95),
    ):
        assert apart(middle(await shown(raw)), (grey,) * 3) <= 1, raw[24:26]


async def test_a_sixteenth_of_a_grey_is_no_white() -> None:
    gradient = Image.new("I;16", (64, 64))
    gradient.putdata([x * 1040 for _ in range(64) for x in range(64)])
    made = (await shown(stored(gradient))).convert("L")
    found = [made.getpixel((x, 32)) for x in (0, 16, 32, 48, 63)]
    for x, value in zip((0, 16, 32, 48, 63), found, strict=True):
        assert isinstance(value, int | float)
        assert abs(value - x * 1040 / 257) <= 3


@pytest.mark.parametrize(
    ("raw", "colour"),
    [
        (png(2, GREY, b"\xaa" * 16), (170,) * 3),
        (png(4, GREY, b"\x88" * 32), (136,) * 3),
        (stored(Image.new("1", (64, 64), 1)), (255,) * 3),
        (stored(Image.new("CMYK", (64, 64), (0, 128, 128, 0)), "JPEG"), (255, 127, 127)),
        (stored(Image.new("RGBA", (64, 64), (0, 0, 0, 128))), (127,) * 3),
        (stored(Image.new("LA", (64, 64), (0, 0))), (255,) * 3),
        (stored(Image.new("RGBA", (64, 64), (*TOMATO, 255)), "WEBP", lossless=True), TOMATO),
        (stored(Image.new("RGB", (64, 64), TOMATO).quantize(4)), TOMATO),
        (
            stored(Image.new("RGB", (64, 64), TOMATO).quantize(4), transparency=b"\0" * 4),
            (255,) * 3,
        ),
        # One colour that is transparent, told in the picture's own depth.
        (png(2, GREY, b"\xaa" * 16, (b"tRNS", b"\0\2")), (255,) * 3),
        (png(8, GREY, b"\7" * 64, (b"tRNS", b"\0\7")), (255,) * 3),
        (png(16, GREY, b"\x12\x34" * 64, (b"tRNS", b"\x12\x34")), (255,) * 3),
        (png(16, GREY, b"\x12\x35" * 64, (b"tRNS", b"\x12\x34")), (18,) * 3),
        (png(16, RGB, b"\x12\x34" * 192, (b"tRNS", b"\x12\x34" * 3)), (255,) * 3),
        (png(8, RGB, bytes(TOMATO) * 64, (b"tRNS", b"\0\1\0\2\0\3")), TOMATO),
    ],
)
async def test_every_kind_of_picture_looks_like_itself(raw: bytes, colour: tuple[int, ...]) -> None:
    assert apart(middle(await shown(raw)), colour) <= 3


def wide_gamut() -> bytes:
    """A profile whose primaries are Display P3's, put together as ICC.1 says."""
    xyz = {
        b"wtpt": (0.9642, 1.0, 0.8249),
        b"rXYZ": (0.51512, 0.2412, -0.00105),
        b"gXYZ": (0.29198, 0.69225, 0.04189),
        b"bXYZ": (0.1571, 0.06657, 0.78407),
    }
    curve = b"para\0\0\0\0\0\3\0\0" + b"".join(
        struct.pack(">i", round(value * 65536))
        for value in (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    )
    text = b"desc\0\0\0\0\0\0\0\3P3\0" + b"\0" * 78
    parts = [(b"desc", text), (b"cprt", b"text\0\0\0\0-\0")]
    for name, values in xyz.items():
        numbers = b"".join(struct.pack(">i", round(value * 65536)) for value in values)
        parts.append((name, b"XYZ \0\0\0\0" + numbers))
    parts += [(name, curve) for name in (b"rTRC", b"gTRC", b"bTRC")]
    at, table, body = 128 + 4 + 12 * len(parts), b"", b""
    for name, content in parts:
        part = content + b"\0" * (-len(content) % 4)
        table += name + struct.pack(">II", at + len(body), len(part))
        body += part
    head = struct.pack(">I4sI4s4s4s", 0, b"lcms", 0x02400000, b"mntr", b"RGB ", b"XYZ ")
    head = head.ljust(36, b"\0") + b"acsp"
    head = head.ljust(68, b"\0") + struct.pack(">iii", 63190, 65536, 54061)
    whole = head.ljust(128, b"\0") + struct.pack(">I", len(parts)) + table + body
    return struct.pack(">I", len(whole)) + whole[4:]


async def test_a_colour_of_another_space_is_the_same_colour() -> None:
    profile = wide_gamut()
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    plain = Image.new("RGB", (640, 480), TOMATO)
    wide = ImageCms.profileToProfile(plain, ImageCms.createProfile("sRGB"), source)
    assert wide is not None
    assert apart(middle(wide), TOMATO) >= 8  # other numbers for the same colour
    for kind, options in (("JPEG", {"quality": 95}), ("PNG", {}), ("WEBP", {"quality": 95})):
        raw = stored(wide, kind, icc_profile=profile, **options)
        assert apart(middle(await shown(raw)), TOMATO) <= 4, kind
        assert "icc_profile" not in (await shown(raw)).info


@pytest.mark.parametrize("broken", [b"no profile", b"\0" * 200, wide_gamut()[:150]])
async def test_a_broken_profile_is_ignored(broken: bytes) -> None:
    raw = stored(Image.new("RGB", (640, 480), TOMATO), "JPEG", quality=95, icc_profile=broken)
    assert apart(middle(await shown(raw)), TOMATO) <= 3


async def test_a_profile_of_another_kind_of_picture_is_ignored() -> None:
    raw = stored(Image.new("CMYK", (64, 64), (0, 128, 128, 0)), "JPEG", icc_profile=wide_gamut())
    assert apart(middle(await shown(raw)), (255, 127, 127)) <= 3


@pytest.mark.parametrize("orientation", range(1, 9))
async def test_a_photo_stands_upright_whichever_way_it_was_taken(orientation: int) -> None:
    upright = Image.new("RGB", (400, 300), "white")
    ImageDraw.Draw(upright).rectangle((0, 0, 199, 149), fill=TOMATO)
    turned = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    taken = upright.transpose(turned[orientation]) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    for kind in ("JPEG", "PNG", "WEBP"):
        made = await shown(stored(taken, kind, exif=exif.tobytes()))
        assert made.size == (400, 300)
        assert apart(tuple(made.convert("RGB").getpixel((50, 50))), TOMATO) <= 6  # type: ignore[arg-type]
        assert apart(tuple(made.convert("RGB").getpixel((350, 250))), (255,) * 3) <= 6  # type: ignore[arg-type]


async def test_a_phones_48_megapixels_are_taken() -> None:
    large = Image.effect_noise((504, 378), 60).resize((8064, 6048)).convert("RGB")
    raw = stored(large, "JPEG", quality=30)
    assert (await shown(raw)).size == (1280, 960)


def scans(side: int, count: int) -> bytes:
    """A progressive JPEG that has its last scan so many times."""
    raw = stored(Image.new("L", (side, side), 99), "JPEG", progressive=True)
    begins = [found.start() for found in re.finditer(rb"\xff\xda", raw)]
    end = raw.rindex(b"\xff\xd9")
    return raw[:end] + raw[begins[-1] : end] * (count - len(begins)) + raw[end:]


def sized(raw: bytes, width: int, height: int) -> bytes:
    """The same file, with other sides in its header."""
    if raw.startswith(b"\x89PNG"):
        return raw[:16] + struct.pack(">II", width, height) + raw[24:]
    found = re.search(rb"\xff[\xc0-\xc2]..\x08", raw, re.DOTALL)
    assert found is not None
    return raw[: found.end()] + struct.pack(">HH", height, width) + raw[found.end() + 4 :]


SMALL = Image.new("RGB", (64, 64))
BOMBS = {
    "600 scans": scans(6320, 600),
    "scans of a large picture": scans(7000, SCANS_MAX),
    "scans of a small picture": scans(64, SCANS_MAX + 1),
    "coefficients": sized(stored(SMALL, "JPEG", progressive=True), 10_000, 10_000),
    "a line": sized(stored(SMALL), 39_999_999, 1),
    "a column": sized(stored(SMALL), 1, 39_999_999),
    "a long side": sized(stored(SMALL, "JPEG"), 60_000, 100),
    "a large PNG": sized(stored(SMALL), 6_000, 4_001),
    "a large JPEG": sized(stored(SMALL, "JPEG"), 12_000, 10_000),
    "a large WebP": stored(Image.new("RGB", (4_000, 3_100)), "WEBP", lossless=True),
    "no height": sized(stored(SMALL, "JPEG"), 64, 0),
    "segments": b"\xff\xd8" + b"\xff\xfe\0\2" * 300_000,
    "fill": b"\xff\xd8" + b"\xff" * 300_000,
    "arithmetic": stored(SMALL, "JPEG").replace(b"\xff\xc0", b"\xff\xc9"),
    "torn": stored(SMALL, "JPEG")[:30],
    "nothing": b"",
    "a GIF": b"GIF89a" + b"\0" * 30,
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_by_its_header(name: str) -> None:
    """Before anything of it is unpacked: no process is started, no memory taken."""
    with pytest.raises(PhotoRefused):
        check(BOMBS[name])


def run(raw: bytes) -> "subprocess.CompletedProcess[bytes]":
    """The program alone, without the look at the header."""
    program = [sys.executable, "-P", str(Path(image_process.__file__))]
    return subprocess.run(program, input=raw, capture_output=True, check=False)  # noqa: S603 # ours


def test_the_kernel_ends_what_takes_too_long() -> None:
    assert run(BOMBS["600 scans"]).returncode in {-signal.SIGKILL, -signal.SIGXCPU}


def test_the_kernel_refuses_more_memory_than_a_photo_needs() -> None:
    large = stored(Image.new("RGBA", (9_000, 9_000)))
    assert run(large).returncode == image_process.REFUSED


PATIENT = (sys.executable, "-c", "import sys, time; sys.stdin.buffer.read(); time.sleep(600)")
GOOD = stored(Image.new("RGB", (64, 64), TOMATO), "JPEG")


async def test_a_process_that_does_not_answer_is_ended() -> None:
    before = children()
    with pytest.raises(PhotoRefused):
        await PillowImageProcessor(PATIENT, timeout_s=0.2).process(GOOD)
    assert children() == before


async def test_a_process_ends_with_the_request_it_is_for() -> None:
    before = children()
    waiting = asyncio.create_task(PillowImageProcessor(PATIENT).process(GOOD))
    await asyncio.to_thread(until_there_is_more_than, before)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert children() == before


async def test_no_more_wait_than_can_be_served_soon() -> None:
    images = PillowImageProcessor(PATIENT)
    many = [asyncio.create_task(images.process(GOOD)) for _ in range(CONCURRENCY + WAITING_MAX)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable):
        await images.process(GOOD)
    for one in many:
        one.cancel()
    await asyncio.gather(*many, return_exceptions=True)


async def test_one_photo_that_takes_long_holds_up_no_other() -> None:
    """The first waits for a word that only comes when the second is done."""
    read, write = os.pipe()
    tells = f"""
import os, subprocess, sys
raw = sys.stdin.buffer.read()
if raw.endswith(b"slow"):
    os.read(os.open("/proc/{os.getpid()}/fd/{read}", os.O_RDONLY), 1)
program = [sys.executable, "-P", {image_process.__file__!r}]
sys.exit(subprocess.run(program, input=raw).returncode)
"""
    images = PillowImageProcessor((sys.executable, "-c", tells))
    slow = asyncio.create_task(images.process(GOOD + b"slow"))
    try:
        assert (await images.process(GOOD)).width == 64
        assert not slow.done()
        os.write(write, b"x")
        assert (await slow).width == 64
    finally:
        os.close(read)
        os.close(write)


async def test_the_program_knows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARKET_SECRET", "s" * 32)
    tells = "import os, sys; sys.stdin.buffer.read(); sys.exit('MARKET_SECRET' in os.environ)"
    with pytest.raises(struct.error):  # it ended well, and said nothing
        await PillowImageProcessor((sys.executable, "-c", tells)).process(GOOD)


def until_there_is_more_than(before: set[str]) -> None:
    while children() == before:
        """It is being started."""


def children() -> set[str]:
    """Of this process; all its threads may have some."""
    tasks = Path("/proc/self/task").iterdir()
    return {child for task in tasks for child in (task / "children").read_text().split()}
