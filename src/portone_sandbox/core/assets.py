"""Templates, styles and scripts of the pages, read once at the start."""

from datetime import datetime, tzinfo
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from portone_sandbox.core.money import exponent, to_major
from portone_sandbox.core.origin import base

_PACKAGE = Path(__file__).parents[1]
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


class Asset(NamedTuple):
    """One static file."""

    body: bytes
    media_type: str


def _read(name: str) -> Asset:
    file = _PACKAGE / "static" / name
    return Asset(file.read_bytes(), _TYPES[file.suffix])


STATIC = {
    name: _read(name)
    for name in ("checkout.css", "checkout.js", "dashboard.css", "icon.svg", "oauth.css")
}


def _sdk(name: str) -> Asset:
    """An SDK script with the shared window code, in one function so that two fit on one page."""
    parts = [_read("sdk_window.js").body, _read(name).body]
    return Asset(b"(() => {\n" + b"\n".join(parts) + b"})();\n", _TYPES[".js"])


SDKS = {"v1.js": _sdk("sdk_v1.js"), "v2.js": _sdk("sdk_v2.js")}


def show_money(minor: int, currency: str, language: str = "ko") -> str:
    """A formatted amount."""
    number = f"{to_major(minor, currency):,.{exponent(currency)}f}"
    if currency != "KRW":
        return f"{currency} {number}"
    return f"{number}원" if language == "ko" else f"₩{number}"


def show_time(at: datetime | None, zone: tzinfo) -> str:
    """A moment in the given zone; a dash for None."""
    return at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S") if at else "–"


_TEMPLATES = Environment(
    loader=FileSystemLoader(_PACKAGE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.globals["base"] = base
_TEMPLATES.filters["money"] = show_money
_TEMPLATES.filters["major"] = to_major
_TEMPLATES.filters["time"] = show_time


def render(template: str, texts: dict[str, str], **values: object) -> str:
    """Render a page; the template sees `texts` as `t`, and every value is escaped."""
    # Not the dict itself: in a template, t.keys would be its method.
    return _TEMPLATES.get_template(template).render(t=SimpleNamespace(**texts), **values)
