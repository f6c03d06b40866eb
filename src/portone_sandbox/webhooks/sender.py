"""The webhook sender: the only part of the sandbox that makes requests, to configured URLs only."""

import asyncio
import time
from contextlib import suppress
from datetime import UTC, datetime

import httpx
from litestar.di import NamedDependency

from portone_sandbox.core import virtual_accounts
from portone_sandbox.core.state import FORGED_SECRET, SandboxState
from portone_sandbox.core.webhook import Attempt, Webhook
from portone_sandbox.webhooks.delivery import (
    V1_CONNECT_SECONDS,
    V1_READ_SECONDS,
    V1_RETRY_SECONDS,
    V2_CONNECT_SECONDS,
    V2_READ_SECONDS,
    common_headers,
    next_attempt_at,
    signature_headers,
)

_BODY_LENGTH_MAX = 2000  # characters of a response body in the log
_IDLE_SECONDS = 1.0  # longest delay until a passed deadline is noticed


class Sender:
    """Sends due webhooks: sequentially per order, concurrently across orders."""

    def __init__(self, sandbox: SandboxState, client: httpx.AsyncClient) -> None:
        self._sandbox = sandbox
        self._wake = asyncio.Event()
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._idle = asyncio.Event()
        self._client = client
        sandbox.wake_sender = self.wake

    def wake(self) -> None:
        """Check for due webhooks now."""
        self._idle.clear()
        self._wake.set()

    async def run(self) -> None:
        """Send until cancelled."""
        try:
            while True:
                self._wake.clear()
                virtual_accounts.expire_due(self._sandbox)
                self._start_due()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), self._wait_seconds())
        finally:
            for task in self._busy.values():
                task.cancel()
            await asyncio.gather(*self._busy.values(), return_exceptions=True)

    def cancel_deliveries(self) -> None:
        """Cancel running deliveries, as for a reset."""
        for task in self._busy.values():
            task.cancel()

    async def flushed(self, seconds: float) -> bool:
        """Wait until nothing is due or being sent; False after `seconds`."""
        self.wake()
        try:
            await asyncio.wait_for(self._idle.wait(), seconds)
        except TimeoutError:
            return False
        return True

    async def send_now(self, webhook: Webhook) -> None:
        """Resend one webhook manually, after running deliveries of the same order."""
        while webhook.order_id in self._busy:
            await asyncio.wait([self._busy[webhook.order_id]])
        webhook = self._sandbox.store.find_webhook(webhook.id) or webhook
        webhook.manual_sends += 1
        webhook.trigger = "MANUAL"
        self._sandbox.store.save_webhook(webhook)
        task = asyncio.create_task(self._deliver(webhook))
        self._busy[webhook.order_id] = task
        await task

    def _wait_seconds(self) -> float:
        # Due webhooks are being sent already, and wake the loop when they are done.
        now = self._sandbox.now()
        due = self._sandbox.store.next_due_at(now)
        if due is None or self._sandbox.clock.frozen:
            return _IDLE_SECONDS
        return min(_IDLE_SECONDS, max(0.001, due - now.timestamp()))

    def _start_due(self) -> None:
        due = self._sandbox.store.list_due_webhooks(self._sandbox.now())
        for webhook in due:
            if webhook.order_id not in self._busy:
                self._busy[webhook.order_id] = asyncio.create_task(self._deliver(webhook))
        if not due and not self._busy:
            self._idle.set()

    async def _deliver(self, webhook: Webhook) -> None:
        try:
            due_at = webhook.next_at or self._sandbox.now()
            await self._try_once(webhook)
            self._record(webhook.id, webhook.attempts[-1], due_at)
        finally:
            del self._busy[webhook.order_id]
            self._wake.set()

    async def _try_once(self, webhook: Webhook) -> None:
        headers = self._headers(webhook)
        attempt = Attempt(self._sandbox.now(), None, None, 0.0, headers)
        started = time.monotonic()
        try:
            response = await self._client.post(
                webhook.url, content=webhook.body, headers=headers, timeout=_timeout(webhook)
            )
        except Exception as error:  # a URL can be wrong in many ways; the log says in which
            attempt.error = f"{type(error).__name__}: {error}"
        else:
            attempt.status = response.status_code
            attempt.response_headers = dict(response.headers)
            attempt.response_body = response.text[:_BODY_LENGTH_MAX]
        attempt.seconds = round(time.monotonic() - started, 3)
        webhook.attempts.append(attempt)

    def _headers(self, webhook: Webhook) -> dict[str, str]:
        headers = common_headers(self._sandbox.name, webhook.content_type)
        if webhook.version == "V1":
            return headers
        sandbox = self._sandbox
        if webhook.attempts and not sandbox.settings.v2_retry_keeps_webhook_id:
            about = f"{webhook.id} {len(webhook.attempts)}"
            webhook.webhook_id = sandbox.ids.webhook_id(about)
        wall = sandbox.settings.v2_webhook_timestamp == "wall"
        stamp = int((datetime.now(UTC) if wall else sandbox.now()).timestamp())
        keys = sandbox.credentials.v2
        secrets = [key for key in (keys.webhook_secret, keys.second_webhook_secret) if key]
        if webhook.forged:
            secrets = [FORGED_SECRET]
        return headers | signature_headers(secrets, webhook.webhook_id, stamp, webhook.body)

    def _record(self, webhook_id: str, attempt: Attempt, due_at: datetime) -> None:
        """Record an attempt, and release webhooks held until after it."""
        sandbox = self._sandbox
        webhook = sandbox.store.find_webhook(webhook_id)
        if webhook is None:  # the sandbox was reset meanwhile
            return
        webhook.attempts.append(attempt)
        jitter = sandbox.settings.v2_retry_jitter
        if jitter is None:
            jitter = sandbox.ids.fraction(f"jitter {webhook.id} {len(webhook.attempts)}")
        webhook.next_at = next_attempt_at(webhook, attempt, due_at, jitter)
        if attempt.succeeded:
            webhook.state = "delivered"
        elif webhook.next_at is None:
            webhook.state = "failed"
        with sandbox.store.transaction():
            sandbox.store.save_webhook(webhook)
            for held in sandbox.store.list_held_webhooks():
                if held.after == webhook.id:
                    held.state, held.next_at = "pending", sandbox.now()
                    sandbox.store.save_webhook(held)


def _timeout(webhook: Webhook) -> httpx.Timeout:
    if webhook.version == "V2":
        return httpx.Timeout(V2_READ_SECONDS, connect=V2_CONNECT_SECONDS)
    if webhook.attempts:
        return httpx.Timeout(V1_RETRY_SECONDS)
    return httpx.Timeout(V1_READ_SECONDS, connect=V1_CONNECT_SECONDS)


SenderDep = NamedDependency[Sender]
