"""What a test may set: credentials, channels, and one switch for every doubt about PortOne."""

from typing import Annotated, Literal

import msgspec

from portone_sandbox.core.payments import Version


class V1Credentials(msgspec.Struct):
    """The V1 console's keys; obviously made up."""

    imp_key: str = "imp_apikey_sandbox"
    imp_secret: str = "sandbox-v1-secret-not-real"  # noqa: S105 - made up, printed by /control
    imp_code: str = "imp00000000"
    channel_key: str = "channel-key-sandbox-v1-test"


class V2Credentials(msgspec.Struct):
    """The V2 console's keys; obviously made up. Up to two webhook secrets, as in rotation."""

    api_secret: str = "sandbox-v2-api-secret-not-real"  # noqa: S105 - made up
    store_id: str = "store-sandbox-0000"
    merchant_id: str = "merchant-sandbox-0000"
    channel_key: str = "channel-key-sandbox-v2-test"
    webhook_secret: str = "whsec_c2FuZGJveC13ZWJob29rLXNlY3JldC1ub3QtcmVhbCE="  # noqa: S105
    second_webhook_secret: str | None = None


class OAuthClient(msgspec.Struct):
    """An app registered with a social provider. Without `redirect_uris`, any on this machine."""

    client_id: str
    client_secret: str
    redirect_uris: list[str] = msgspec.field(default_factory=list)


class OAuthCredentials(msgspec.Struct):
    """The apps at the stand-ins of Kakao and Naver; obviously made up."""

    kakao: OAuthClient = msgspec.field(
        default_factory=lambda: OAuthClient("kakao-app-sandbox", "sandbox-kakao-secret-not-real")
    )
    naver: OAuthClient = msgspec.field(
        default_factory=lambda: OAuthClient("naver-app-sandbox", "sandbox-naver-secret-not-real")
    )


class Credentials(msgspec.Struct):
    """Every key there is, as GET /control/credentials shows them."""

    v1: V1Credentials = msgspec.field(default_factory=V1Credentials)
    v2: V2Credentials = msgspec.field(default_factory=V2Credentials)
    oauth: OAuthCredentials = msgspec.field(default_factory=OAuthCredentials)


class Channel(msgspec.Struct):
    """One channel of the console; every sandbox channel is a test channel."""

    key: str
    version: Version
    name: str = "sandbox"
    pg_provider: str = "TOSSPAYMENTS"
    pg_id: str = "sandbox-mid"
    manual_approval: bool = False


def _channels() -> list[Channel]:
    return [
        Channel(key="channel-key-sandbox-v1-test", version="V1", pg_id="sandbox-mid-v1"),
        Channel(key="channel-key-sandbox-v2-test", version="V2", pg_id="sandbox-mid-v2"),
        Channel(
            key="channel-key-sandbox-v2-manual",
            version="V2",
            pg_id="sandbox-mid-manual",
            manual_approval=True,
        ),
    ]


_Count = Annotated[int, msgspec.Meta(ge=1)]
_Multiplier = Annotated[float, msgspec.Meta(ge=0, le=1)]


class Settings(msgspec.Struct, forbid_unknown_fields=True):
    """The console's settings and the doubts' switches. Each default is the likelier reading."""

    webhook_url_v1: str | None = None
    webhook_url_v2: str | None = None
    v1_webhook_format: Literal["json", "form"] = "json"
    channels: list[Channel] = msgspec.field(default_factory=_channels)

    # DOUBT: V1's status after a partial cancel. Recent integrations see it stay `paid` while
    # cancel_amount grows; PortOne's own older plugin reads a partial cancel as `cancelled`.
    v1_partial_cancel_status: Literal["paid", "cancelled"] = "paid"
    # DOUBT: include_sandbox is declared on the single lookup alone.
    v1_lookup_hides_test: bool = True
    v1_list_hides_test: bool = False
    # DOUBT: the document types V1's optional fields as plain strings and numbers, but its texts
    # and the service speak of null. "omit" is what the document can express.
    v1_empty_fields: Literal["omit", "null"] = "omit"
    # V1 sends once; repeats (5, a minute apart) are given on request.
    v1_webhook_retries: Annotated[int, msgspec.Meta(ge=0, le=5)] = 0
    # DOUBT: nothing says what happens when a virtual account's due time passes.
    account_expiry: Literal["stay", "fail"] = "stay"
    # DOUBT: a late deposit is taken (banks that close accounts on time would refuse it).
    late_deposit: Literal["accept", "refuse"] = "accept"
    # DOUBT: whether a wrong amount is refused depends on a contract. keep_amount marks the
    # payment paid as ordered and tells the truth in deposit_history alone; take_amount changes
    # the payment's amount to what arrived.
    deposit_mismatch: Literal["refuse", "keep_amount", "take_amount"] = "refuse"
    # DOUBT: money for an account already paid, cancelled or closed. FIXED accounts always record.
    extra_deposit: Literal["refuse", "record"] = "refuse"
    # DOUBT: V2's status and webhook after virtual-account/close; V1 shows failed.
    v2_closed_account: Literal["FAILED", "VIRTUAL_ACCOUNT_ISSUED"] = "FAILED"
    v2_closed_account_webhook: bool = False
    # DOUBT: whether a pre-registered payment whose window never opened can be looked up.
    v2_preregistered_lookup: bool = False
    # REQUESTED cancels end when a test says so through /control/cancellations.
    v2_cancel_mode: Literal["sync", "async", "fail"] = "sync"
    # DOUBT: the limits behind MAX_CANCEL_COUNT_REACHED and the like are not published.
    v2_max_cancels: _Count = 100
    v2_max_transactions: _Count = 100
    v2_max_webhook_sends: _Count = 20
    # DOUBT: that automatic retries keep their webhook-id is custom, not promise.
    v2_retry_keeps_webhook_id: bool = True
    # Full jitter when null; a number fixes the multiplier so that a test knows the minute.
    v2_retry_jitter: _Multiplier | None = None
    # Receivers check webhook-timestamp against their own clock, so the wall clock is the default
    # even after the sandbox's clock was moved.
    v2_webhook_timestamp: Literal["wall", "sandbox"] = "wall"
    # DOUBT: no rate limit is documented. A number answers 429 to more calls within one second.
    rate_limit_per_second: _Count | None = None
    # How long POST /control/faults' `delay` holds a webhook, unless it says itself.
    webhook_delay_seconds: Annotated[float, msgspec.Meta(ge=0)] = 60.0

    def channel(self, key: str, version: Version) -> Channel | None:
        """The channel with this key, if the version knows it."""
        return next((c for c in self.channels if c.key == key and c.version == version), None)

    def default_channel(self, version: Version) -> Channel | None:
        """The first channel of a version."""
        return next((c for c in self.channels if c.version == version), None)
