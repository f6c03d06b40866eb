"""JSON Web Tokens (RFC 7519), signed with HMAC-SHA256 and nothing else."""

from datetime import datetime, timedelta
from typing import Any

import jwt

from market.shared.ids import MemberId, SessionId, well_formed

from .domain import AccessClaims, RefreshClaims, TokenExpired, TokenInvalid

ALGORITHM = "HS256"
ISSUER = "wanted-market"
# Between server processes. A token from further ahead in time is none that we gave.
CLOCKS_DIFFER_BY = timedelta(minutes=1)


class JwtTokens:
    """Signs and reads both kinds of token.

    `typ` in the header keeps the kinds apart (RFC 8725, 3.11): a refresh token opens no door that
    an access token opens, nor the other way round. The algorithm is ours to say, never the token's.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def sign_access(self, claims: AccessClaims, now: datetime, expires_at: datetime) -> str:
        return self._sign(
            "at+jwt", {"sub": claims.member_id, "sid": claims.session_id}, now, expires_at
        )

    def sign_refresh(self, claims: RefreshClaims, now: datetime, expires_at: datetime) -> str:
        return self._sign(
            "rt+jwt", {"jti": claims.token_id, "sid": claims.session_id}, now, expires_at
        )

    def read_access(self, token: str, now: datetime) -> AccessClaims:
        body = self._read("at+jwt", token, now)
        return AccessClaims(MemberId(_id(body, "sub")), SessionId(_id(body, "sid")))

    def read_refresh(self, token: str, now: datetime) -> RefreshClaims:
        body = self._read("rt+jwt", token, now)
        return RefreshClaims(_id(body, "jti"), SessionId(_id(body, "sid")))

    def _sign(self, kind: str, body: dict[str, Any], now: datetime, expires_at: datetime) -> str:
        body |= {"iss": ISSUER, "iat": now, "exp": expires_at}
        return jwt.encode(body, self._secret, algorithm=ALGORITHM, headers={"typ": kind})

    def _read(self, kind: str, token: str, now: datetime) -> dict[str, Any]:
        try:
            read = jwt.decode_complete(
                token,
                self._secret,
                algorithms=[ALGORITHM],
                issuer=ISSUER,
                # Our clock decides below, not the library's.
                options={
                    "require": ["exp", "iat", "iss"],
                    "verify_exp": False,
                    "verify_iat": False,
                },
            )
        except jwt.InvalidTokenError as cause:
            raise TokenInvalid from cause
        if read["header"].get("typ") != kind:
            raise TokenInvalid
        body: dict[str, Any] = read["payload"]
        if not isinstance(body["exp"], int) or not isinstance(body["iat"], int):
            raise TokenInvalid
        if body["iat"] > (now + CLOCKS_DIFFER_BY).timestamp():
            raise TokenInvalid
        if body["exp"] <= now.timestamp():
            raise TokenExpired
        return body


def _id(body: dict[str, Any], claim: str) -> str:
    value = body.get(claim)
    if not isinstance(value, str) or not well_formed(value):
        raise TokenInvalid
    return value
