"""Problem documents (RFC 9457): errors outside of V1 and V2."""

import msgspec


def show_error(status: int, code: str, detail: str) -> bytes:
    """A problem document (RFC 9457), as /control answers what it refuses."""
    return msgspec.json.encode(
        {
            "type": f"urn:portone-sandbox:{code}",
            "title": code.replace("_", " "),
            "status": status,
            "detail": detail,
            "code": code,
        }
    )
