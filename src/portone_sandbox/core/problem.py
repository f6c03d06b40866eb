"""Problem documents (RFC 9457): errors outside of V1 and V2."""

import msgspec


def problem_document(status: int, code: str, detail: str) -> bytes:
    """A problem document, as returned by /control."""
    return msgspec.json.encode(
        {
            "type": f"urn:portone-sandbox:{code}",
            "title": code.replace("_", " "),
            "status": status,
            "detail": detail,
            "code": code,
        }
    )
