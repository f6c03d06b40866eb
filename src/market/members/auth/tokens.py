"""JSON Web Tokens (RFC 7519), signed with HMAC-SHA256 and nothing else."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from market.members.domain import AccessClaims, RefreshClaims, TokenExpired, TokenInvalid
from market.shared.ids import MemberId, SessionId, well_formed

ALGORITHM = "HS256"
ISSUER = "wanted-market"
# Per process; a token and its claims take about a kilobyte.
VERIFIED_TOKENS_MAX = 10_000
# Between server processes. We issued no token from further in the future.
CLOCK_SKEW = timedelta(minutes=1)
# These claims would need checks of their own; we never issue them.
_UNSUPPORTED_CLAIMS = ("aud", "nbf")


class JwtTokens:
    """Signs and reads every kind of token.

    `typ` in the header keeps the kinds apart (RFC 8725, 3.11), so that none is accepted in place
    of another. The algorithm is fixed here, never taken from the token.
    """

    def __init__(self, secret: str) -> None:
        self._key = OctKey.import_key(secret)
        # A valid signature stays valid and its bearer sends the token again and again, so it is
        # cached. Expiry is checked on every use here, the session in the database.
        self._verified = lru_cache(VERIFIED_TOKENS_MAX)(self._verify)

    def sign_access(self, claims: AccessClaims, now: datetime, expires_at: datetime) -> str:
        return self._sign(
            "at+jwt", {"sub": claims.member_id, "sid": claims.session_id}, now, expires_at
        )

    def sign_refresh(self, claims: RefreshClaims, now: datetime, expires_at: datetime) -> str:
        return self._sign(
            "rt+jwt", {"jti": claims.token_id, "sid": claims.session_id}, now, expires_at
        )

    def sign_cookie(self, claims: AccessClaims, now: datetime, expires_at: datetime) -> str:
        return self._sign(
            "ck+jwt", {"sub": claims.member_id, "sid": claims.session_id}, now, expires_at
        )

    def read_access(self, token: str, now: datetime) -> AccessClaims:
        return _claims(self._read("at+jwt", token, now))

    def read_cookie(self, token: str, now: datetime) -> AccessClaims:
        return _claims(self._read("ck+jwt", token, now))

    def read_refresh(self, token: str, now: datetime) -> RefreshClaims:
        body = self._read("rt+jwt", token, now)
        return RefreshClaims(_id(body, "jti"), SessionId(_id(body, "sid")))

    def _sign(self, kind: str, body: dict[str, Any], now: datetime, expires_at: datetime) -> str:
        times = {"iat": int(now.timestamp()), "exp": int(expires_at.timestamp())}
        header = {"alg": ALGORITHM, "typ": kind}
        return jwt.encode(header, {**body, "iss": ISSUER, **times}, self._key)

    def _read(self, kind: str, token: str, now: datetime) -> Mapping[str, Any]:
        body = self._verified(kind, token)
        if body["iat"] > (now + CLOCK_SKEW).timestamp():
            raise TokenInvalid
        if body["exp"] <= now.timestamp():
            raise TokenExpired
        return body

    def _verify(self, kind: str, token: str) -> Mapping[str, Any]:
        try:
            # safeguard: token signature verified
            read = jwt.decode(token, self._key, algorithms=[ALGORITHM])
        except (JoseError, ValueError, TypeError) as cause:  # TypeError: a header that is no object
            raise TokenInvalid from cause
        if read.header.get("typ") != kind:  # safeguard: token type checked
            raise TokenInvalid
        body = read.claims
        if body.get("iss") != ISSUER or any(name in body for name in _UNSUPPORTED_CLAIMS):
            raise TokenInvalid
        if not isinstance(body.get("exp"), int) or not isinstance(body.get("iat"), int):
            raise TokenInvalid
        return MappingProxyType(body)


def _claims(body: Mapping[str, Any]) -> AccessClaims:
    return AccessClaims(MemberId(_id(body, "sub")), SessionId(_id(body, "sid")))


def _id(body: Mapping[str, Any], claim: str) -> str:
    value = body.get(claim)
    if not isinstance(value, str) or not well_formed(value):
        raise TokenInvalid
    return value
