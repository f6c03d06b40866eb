"""Credentials, channels, and one switch per undocumented behaviour of PortOne."""

from typing import Annotated, Literal

import msgspec

from portone_sandbox.core.companies import COMPANIES, Company, CompanyName
from portone_sandbox.core.payments import RefundStatus, Version
from portone_sandbox.core.urls import check_url


class V1Credentials(msgspec.Struct):
    """The V1 console's keys; obviously made up. `pg_api_key` is KG Inicis's own, for accounts."""

    imp_key: str = "imp_apikey_sandbox"
    imp_secret: str = "sandbox-v1-secret-not-real"  # noqa: S105 - made up, printed by /control
    imp_code: str = "imp00000000"
    channel_key: str = "channel-key-sandbox-v1-test"
    pg_api_key: str = "sandbox-pg-api-key-not-real"


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
    """All keys, as in GET /control/credentials."""

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


class ChannelGroup(msgspec.Struct):
    """A group of V2 channels, of which its first takes the payments."""

    id: str
    channel_keys: Annotated[list[str], msgspec.Meta(min_length=1)]
    name: str = "sandbox"


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


# How a payment company takes up a cancellation: done at once, taken up for later, or refused.
CancelMode = Literal["sync", "async", "fail"]
_Count = Annotated[int, msgspec.Meta(ge=1)]
_Multiplier = Annotated[float, msgspec.Meta(ge=0, le=1)]


class Settings(msgspec.Struct, forbid_unknown_fields=True):
    """The console's settings and the switches. Each default is the likelier behaviour."""

    webhook_url_v1: str | None = None
    webhook_url_v2: str | None = None
    v1_webhook_format: Literal["json", "form"] = "json"
    channels: list[Channel] = msgspec.field(default_factory=_channels)
    # PortOne divides a group's payments among its channels by shares; here the first takes all.
    channel_groups: list[ChannelGroup] = []
    # The payment company behind a channel, by the channel's key; without one, nothing is demanded.
    companies: dict[str, CompanyName] = msgspec.field(default_factory=dict)
    # Companies that really charge test payments cancel them at 23:30 in Korea. PortOne's record
    # still says paid, and a later cancellation is refused.
    company_cancels_tests: bool = False

    # Undocumented: V1's status after a partial cancel. Recent integrations see it stay `paid` while
    # cancel_amount grows; PortOne's own older plugin reads a partial cancel as `cancelled`.
    v1_partial_cancel_status: Literal["paid", "cancelled"] = "paid"
    # Undocumented: include_sandbox is declared on the single lookup alone.
    v1_lookup_hides_test: bool = True
    v1_list_hides_test: bool = False
    # Undocumented: V1's schema types optional fields as plain strings and numbers, but its texts
    # and the service use null. The schema can express "omit" only.
    v1_empty_fields: Literal["omit", "null"] = "omit"
    # Undocumented: whether a window that was open before another one of the same order was paid can
    # still be paid.
    v1_second_payment: Literal["refuse", "accept"] = "refuse"
    # Documented as required. Clients older than channels send none.
    v1_vbanks_without_channel: Literal["refuse", "default_channel"] = "refuse"
    # V1 sends once; PortOne grants up to 5 retries, a minute apart, on request.
    v1_webhook_retries: Annotated[int, msgspec.Meta(ge=0, le=5)] = 0
    # Undocumented: the effect of a virtual account's due time.
    account_expiry: Literal["stay", "fail"] = "stay"
    # Undocumented: whether banks accept a late deposit; those that close on time reject it.
    late_deposit: Literal["accept", "refuse"] = "accept"
    # Undocumented: whether a wrong amount is refused depends on a contract. keep_amount marks the
    # payment paid as ordered, so only deposit_history has the real amount; take_amount changes
    # the payment's amount to the deposited one.
    deposit_mismatch: Literal["refuse", "keep_amount", "take_amount"] = "refuse"
    # Undocumented: deposits into an account already paid, cancelled or closed. FIXED accounts
    # always record them.
    extra_deposit: Literal["refuse", "record"] = "refuse"
    # A refund into the buyer's account is PENDING for so long, and then ends so. PENDING has no end
    # but POST /control/refunds.
    account_refund_status: RefundStatus = "COMPLETED"
    account_refund_seconds: Annotated[float, msgspec.Meta(ge=0, le=10**9)] = 86_400.0
    # Undocumented: V2's status and webhook after virtual-account/close; V1 shows failed.
    v2_closed_account: Literal["FAILED", "VIRTUAL_ACCOUNT_ISSUED"] = "FAILED"
    v2_closed_account_webhook: bool = False
    # Undocumented: whether a pre-registered payment whose window never opened can be looked up.
    v2_preregistered_lookup: bool = False
    # A REQUESTED cancellation ends through /control/cancellations.
    v2_cancel_mode: CancelMode = "sync"
    # Undocumented: whether a webhook reports that a REQUESTED cancellation failed. The trigger is
    # documented (ASYNC_CANCEL_FAILED), its type is not: the sandbox sends the payment's status.
    v2_failed_cancel_webhook: bool = True
    # Undocumented: which partial cancellations move statusChangedAt, by which V2's lists go.
    v2_partial_cancel_moves_status_at: Literal["first", "every", "never"] = "first"
    # Undocumented: the limits behind MAX_CANCEL_COUNT_REACHED and the like are not published.
    v2_max_cancels: _Count = 100
    v2_max_transactions: _Count = 100
    v2_max_webhook_sends: _Count = 20
    # Undocumented: automatic retries keep their webhook-id by convention, not by promise.
    v2_retry_keeps_webhook_id: bool = True
    # Full jitter if null; a number fixes the multiplier, so that a test knows the minute.
    v2_retry_jitter: _Multiplier | None = None
    # Receivers check webhook-timestamp against their own clock, so the wall clock is the default
    # even after the sandbox's clock was moved.
    v2_webhook_timestamp: Literal["wall", "sandbox"] = "wall"
    # Undocumented: rate limits. With a number, more calls within one second get 429.
    rate_limit_per_second: _Count | None = None
    # How long the fault `delay` holds a webhook, unless it has its own `seconds`.
    webhook_delay_seconds: Annotated[float, msgspec.Meta(ge=0)] = 60.0

    def __post_init__(self) -> None:
        """Raise ValueError for what is no URL, and for a company behind an unknown channel."""
        for url in (self.webhook_url_v1, self.webhook_url_v2):
            if url is not None:
                check_url(url)
        grouped = {key for group in self.channel_groups for key in group.channel_keys}
        unknown = (grouped | set(self.companies)) - {channel.key for channel in self.channels}
        if unknown:
            raise ValueError(f"no channel has the key {', '.join(sorted(unknown))}")

    def channel(self, key: str, version: Version) -> Channel | None:
        """The channel with this key and version, if any."""
        found = next((c for c in self.channels if c.key == key and c.version == version), None)
        company = self.company(key)
        if found is None or company is None:
            return found
        return msgspec.structs.replace(found, pg_provider=company.provider(version))

    def channel_group(self, group_id: str) -> ChannelGroup | None:
        """The channel group with this id, if any."""
        return next((group for group in self.channel_groups if group.id == group_id), None)

    def company(self, channel_key: str) -> Company | None:
        """The payment company behind a channel, if one was named."""
        name = self.companies.get(channel_key)
        return COMPANIES[name] if name else None

    def default_channel(self, version: Version) -> Channel | None:
        """The first channel of a version."""
        return next((c for c in self.channels if c.version == version), None)
