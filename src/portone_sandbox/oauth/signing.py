"""RS256 (RFC 7518, 3.3) with one fixed key pair, public in both halves like every key here.

Implemented here because nothing else in the sandbox needs a cryptography package, and a signature
is one modular power. It protects nothing; clients only have to be able to verify it.
"""

import hashlib
import json
from base64 import urlsafe_b64encode

KEY_ID = "sandbox-1"
_EXPONENT = 65537
_MODULUS = int(
    "bf360f10cae00dd319b90c3430d525b1515ffda46feb5bf0d44765f47144c083c0cab4f1cefa5ba20e2900dc"
    "6a66dea917070717d346565a2522487b9bf6c67426fae6a6c5c864f1f1c8c7a1bba9e53d0612612767fcb895"
    "2c7e2a05b9f0531d3ac3b27d999942ec9c3c3ef0ae5034bfeea79921a7014a868b87bda7ac6d729f7c51ad56"
    "345cf7de8057c829f9004a07e00c57b8cfef32a2f9600c66896eacf1a29695822575a455c357f992030c9c8c"
    "3202c58e6d8ecc4b37bb6ed0df30ee10b2d39dc9503cdf4f229924ed957ff4f9abf4961ce118635d269c6712"
    "6f5eaa4d07cb3c4d170e947c86af033091f18b0164795d0f79117368507c401ae0f2d27b",
    16,
)
_PRIVATE = int(
    "25ffb83ebe1288accb0fdb3d03f757e64525ae625f5b8689f5a5babd3945507cde736a4223bfdd35f75a6eb1"
    "5ef3d28c07e77da15e7b3bedee3341f44eaa5c05f939235d4130f1dea30e239e208d42e13db3a95b0b6f4dbf"
    "57783b21a831fa5274bb2f5d8688cea3f6e88219928a9df1069c87f2081e5991236976673bfd042a14d9dff6"
    "6c82584cbff6b484fedc02f2941626f083d65b7ab9de364aba8093ec5b3fbd6535d2a90b99b26983862c0a15"
    "2c82766e7cc1869d93fcf24842fae67a69c9eeef73ef53e0a6e9d6cfd5dd1856edba7d3f9e11a66a4f1fb97d"
    "baac11e40618d45372b25aeabea38c08265e17f0aecce35bbcbdb682cd816b643de79e1",
    16,
)
_SIZE = 256
# DER prefix that announces a SHA-256 digest (RFC 8017, 9.2).
_DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")


def sign(claims: dict[str, object]) -> str:
    """A JSON Web Token."""
    header = {"alg": "RS256", "typ": "JWT", "kid": KEY_ID}
    signed = ".".join(_base64url(json.dumps(part).encode()) for part in (header, claims))
    return f"{signed}.{_base64url(_signature(signed.encode()))}"


def public_key() -> dict[str, str]:
    """The key as a JSON Web Key (RFC 7517)."""
    return {
        "kty": "RSA",
        "kid": KEY_ID,
        "alg": "RS256",
        "use": "sig",
        "n": _base64url(_MODULUS.to_bytes(_SIZE)),
        "e": _base64url(_EXPONENT.to_bytes(3)),
    }


def _signature(signed: bytes) -> bytes:
    tail = b"\x00" + _DIGEST_INFO + hashlib.sha256(signed).digest()
    padded = b"\x00\x01" + b"\xff" * (_SIZE - 2 - len(tail)) + tail
    return pow(int.from_bytes(padded), _PRIVATE, _MODULUS).to_bytes(_SIZE)


def _base64url(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode()
