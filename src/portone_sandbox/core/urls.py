"""Addresses of a merchant's that the sandbox calls."""

from urllib.parse import urlsplit


def check_url(url: str) -> None:
    """Raise ValueError for what is no http or https URL."""
    try:
        parts = urlsplit(url)
        complete = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        complete = None
    if not complete or " " in url or not url.isprintable():
        raise ValueError(f"{url!r} is no http or https URL")
