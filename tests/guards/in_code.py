"""The guards in the source: locks, version checks, reads of one snapshot, signatures, fingerprints,
and what keeps an effect from happening twice.

To add one: what stands there (once in its file), what stands there instead when it is taken out,
and the tests that go red. A new FOR UPDATE, advisory lock, version check or `compare_digest`
without an entry fails `guards/test_list.py`.
"""

from .guard import InCode

_LAST_LINE = "services/test_last_line.py::"
_BETWEEN = "services/test_between.py::"
_KEYS = "api/test_idempotency.py::"
_REFUNDS = "services/test_refunds.py::"
_AUTH = "api/test_auth.py::"
_TERMS = "services/test_refund_terms.py::"
_LOCKED = _LAST_LINE + "test_a_locked_row_keeps_everybody_else_out[{}]"
_PASSED_OVER = _BETWEEN + "test_what_one_worker_takes_up_another_passes_over[{}]"
_LOCK_ORDER = _BETWEEN + "test_who_waits_for_the_product_holds_nothing_that_comes_after_it[{}]"
_READ_BEFORE = _LAST_LINE + "test_what_changed_since_it_was_read_is_not_overwritten"
_OVERTAKEN = _BETWEEN + "test_a_confirmation_that_came_between_is_not_counted_twice"

LOCKS = (
    InCode(
        "product locked",
        "src/market/products/sql.py",
        '_SELECT + "WHERE p.id = $1 FOR UPDATE OF p"',
        (_LOCKED.format("products"),),
        '_SELECT + "WHERE p.id = $1"',
    ),
    InCode(
        "a group's products locked",
        "src/market/products/sql.py",
        " ORDER BY p.id FOR UPDATE OF p",
        (_LAST_LINE + "test_a_locked_product_keeps_a_group_of_buyers_out",),
    ),
    InCode(
        "trade locked",
        "src/market/trades/sql.py",
        " FOR UPDATE OF t",
        (_LOCKED.format("trades"),),
    ),
    InCode(
        "payment locked",
        "src/market/payments/sql.py",
        '_PAYMENT + "WHERE id = $1 FOR UPDATE"',
        (_LOCKED.format("payments"),),
        '_PAYMENT + "WHERE id = $1"',
    ),
    InCode(
        "an order's payments locked",
        "src/market/payments/sql.py",
        '_ORDER + " FOR UPDATE"',
        (_LAST_LINE + "test_a_locked_order_keeps_everybody_else_out",),
        "_ORDER",
    ),
    InCode(
        "cancellation locked",
        "src/market/payments/sql.py",
        "status = 'REQUESTED' FOR UPDATE",
        (_LAST_LINE + "test_a_locked_cancellation_keeps_everybody_else_out",),
        "status = 'REQUESTED'",
    ),
    InCode(
        "session locked",
        "src/market/members/sql.py",
        '_SESSION + "WHERE id = $1 FOR UPDATE"',
        (_LOCKED.format("sessions"), _AUTH + "test_of_two_who_refresh_with_one_token_at_once"),
        '_SESSION + "WHERE id = $1"',
    ),
    InCode(
        "member locked while they change",
        "src/market/members/sql.py",
        '_MEMBER + "WHERE email = $1 FOR UPDATE"',
        (_LAST_LINE + "test_a_locked_member_keeps_everybody_else_out",),
        '_MEMBER + "WHERE email = $1"',
    ),
    InCode(
        "member locked while they choose a password",
        "src/market/members/sql.py",
        '_MEMBER + "WHERE id = $1 FOR UPDATE"',
        (_LAST_LINE + "test_a_member_who_is_locked_by_id_keeps_everybody_else_out",),
        '_MEMBER + "WHERE id = $1"',
    ),
    InCode(
        "the password is still the one that was checked",
        "src/market/members/sql.py",
        " AND password_hash = $2 FOR SHARE",
        ("services/test_social.py::test_a_password_forgotten_while_it_is_checked_opens_nothing",),
        " AND $2::text IS NOT NULL",
    ),
    InCode(
        "incident locked",
        "src/market/payments/incident_book.py",
        " FOR UPDATE",
        ("services/test_incidents.py::test_of_two_who_settle_at_once_one_answers_for_it",),
    ),
    InCode(
        "due payments claimed",
        "src/market/payments/sql.py",
        "ORDER BY look_at LIMIT $3 FOR UPDATE SKIP LOCKED",
        (_PASSED_OVER.format("payments"),),
        "ORDER BY look_at LIMIT $3",
    ),
    InCode(
        "due cancellations claimed",
        "src/market/payments/sql.py",
        "ORDER BY try_at LIMIT $3 FOR UPDATE SKIP LOCKED",
        (_PASSED_OVER.format("cancellations"),),
        "ORDER BY try_at LIMIT $3",
    ),
    InCode(
        "waiting webhooks claimed",
        "src/market/payments/inbox.py",
        " FOR UPDATE SKIP LOCKED",
        (_PASSED_OVER.format("webhooks"),),
    ),
    InCode(
        "no lock outside a transaction",
        "src/market/kit/db.py",
        'raise RuntimeError("a row lock needs a transaction around it")',
        (_LAST_LINE + "test_a_row_is_not_locked_outside_a_transaction",),
        "pass",
    ),
    InCode(
        "product locked before its trade",
        "src/market/trades/service.py",
        "        await self._stock.lock((await self._trades.get(id)).product_id)\n",
        (_LOCK_ORDER.format("call_off"),),
    ),
    InCode(
        "product and trade locked before the payment",
        "src/market/payments/service.py",
        "            await self._purchases.lock(payment.trade_id)\n",
        (_LOCK_ORDER.format("look_again"),),
    ),
    InCode(
        "payment locked while its account is leased",
        "src/market/payments/service.py",
        "payment = await self._payments.get_for_update(id)\n            if not",
        (_BETWEEN + "test_of_two_who_find_the_lease_of_an_account_free_one_gets_it",),
        "payment = await self._payments.get(id)\n            if not",
    ),
    InCode(
        "one caller at a time has an account opened",
        "src/market/payments/domain.py",
        "self.status is not Status.READY or leased",
        ("services/test_beginning.py::test_of_four_who_begin_at_once_one_opens_an_account",),
        "self.status is not Status.READY",
    ),
    InCode(
        "trade locked while a payment begins",
        "src/market/payments/service.py",
        "            await self._purchases.lock(trade_id)\n            invoice",
        ("services/test_paying.py::test_no_payment_is_begun_for_a_trade_that_dies_meanwhile",),
        "            invoice",
    ),
    InCode(
        "trade locked while it is approved",
        "src/market/trades/service.py",
        "trade = await self._trades.get_for_update(id)\n            trade.approve",
        (_REFUNDS + "test_buyer_cancels_while_seller_approves_and_exactly_one_wins_100_times",),
        "trade = await self._trades.get(id)\n            trade.approve",
    ),
    InCode(
        "one request per Idempotency-Key",
        "src/market/kit/idempotency.py",
        "SELECT pg_try_advisory_xact_lock($1)",
        (_KEYS + "test_of_two_who_list_with_one_key_at_once_one_is_told_so",),
        "SELECT $1::bigint IS NOT NULL",
    ),
    InCode(
        "one purchase per Idempotency-Key, in whichever group",
        "src/market/kit/idempotency.py",
        "array_agg(pg_try_advisory_xact_lock(n) ORDER BY place)",
        (_KEYS + "test_two_processes_with_one_key_make_one_trade",),
        "array_agg(true ORDER BY place)",
    ),
    InCode(
        "one migration at a time",
        "migrations/env.py",
        "SELECT pg_try_advisory_xact_lock(20261122)",
        ("operations/test_migrations.py::test_two_that_migrate_at_once_wait_for_each_other",),
        "SELECT pg_try_advisory_xact_lock(20261122) OR true",
    ),
    InCode(
        "migrations give up on a lock",
        "migrations/env.py",
        'f"{patience.lock_timeout_ms}ms"',
        ("operations/test_migrations.py::test_a_migration_that_gets_no_lock_holds_nobody_up",),
        '"0"',
    ),
)

VERSIONS = (
    InCode(
        "product version compared",
        "src/market/products/sql.py",
        "WHERE id = $1 AND version = $2",
        (_READ_BEFORE,),
        "WHERE id = $1 AND $2::bigint IS NOT NULL",
    ),
    InCode(
        "trade version compared",
        "src/market/trades/sql.py",
        "WHERE id = $1 AND version = $2",
        (
            _READ_BEFORE,
            _REFUNDS + "test_seller_cancels_while_buyer_confirms_and_exactly_one_wins",
        ),
        "WHERE id = $1 AND $2::bigint IS NOT NULL",
    ),
    InCode(
        "payment version compared",
        "src/market/payments/sql.py",
        " AND version = ${first}",
        (_READ_BEFORE,),
        " AND ${first}::bigint IS NOT NULL",
    ),
    InCode(
        "the product's version is the one the trade was read with",
        "src/market/products/service.py",
        "        product.version = version\n",
        (_OVERTAKEN,),
    ),
)

SNAPSHOTS = (
    InCode(
        "trade and product version read in one snapshot",
        "src/market/trades/sql.py",
        '        return trade, row["stock_version"] if row else 0\n',
        (_OVERTAKEN,),
        """        product = await self._db.find(
            "SELECT version FROM products WHERE id = $1", trade.product_id
        )
        return trade, product["version"] if product else 0
""",
    ),
    InCode(
        "a statement's lines and balances read in one snapshot",
        "src/market/ledger/sql.py",
        "        opening, closing = rows[0]",
        (_BETWEEN + "test_a_statement_agrees_with_itself_though_the_books_go_on",),
        """        rows = await self._db.fetch(
            "SELECT 0::bigint AS opening, coalesce(sum(amount), 0)::bigint AS closing"
            " FROM transfers WHERE credit = $1",
            account,
        )
        opening, closing = rows[0]""",
    ),
    InCode(
        "a retryable part is a savepoint",
        "src/market/kit/db.py",
        "            if retryable:\n",
        (_LAST_LINE + "test_a_retryable_part_takes_back_itself_alone",),
        "            if retryable and not retryable:\n",
    ),
    InCode(
        "a reused token's revocation is committed before it is told",
        "src/market/members/service.py",
        "            except TokenReused as error:\n                reused = error\n",
        (_AUTH + "test_a_refresh_token_used_twice_kills_its_whole_family",),
        "            except TokenReused:\n                raise\n",
    ),
)

ONCE = (
    InCode(
        "fingerprint of an Idempotency-Key compared",
        "src/market/kit/idempotency.py",
        'hmac.compare_digest(row["fingerprint"], key.fingerprint)',
        (_KEYS + "test_the_same_key_with_another_body_or_path_is_refused",),
        "row",
    ),
    InCode(
        "fingerprint covers the path",
        "src/market/kit/http.py",
        """hashlib.sha256(f"{scope['method']} {scope['path']}\\n".encode() + body)""",
        (_KEYS + "test_a_key_is_for_one_path_though_the_bodies_are_the_same",),
        "hashlib.sha256(body)",
    ),
    InCode(
        "a claimed key is in progress",
        "src/market/kit/idempotency.py",
        '        if is_ahead(row["claimed_until"], self._clock.now(), LEASE):\n'
        "            raise InProgress\n",
        (_KEYS + "test_while_the_first_asks_the_gateway_the_second_is_told_so",),
    ),
    InCode(
        "who fails drops his own claim alone",
        "src/market/kit/idempotency.py",
        "WHERE digest = $1 AND claimed_until = $2 AND answer IS NULL",
        (_BETWEEN + "test_who_fails_after_his_claim_lapsed_leaves_his_successors_alone",),
        "WHERE digest = $1 AND $2::timestamptz IS NOT NULL",
    ),
    InCode(
        "the first answer stands",
        "src/market/kit/idempotency.py",
        "                WHERE idempotency_keys.answer IS NULL\n",
        (_BETWEEN + "test_the_answer_that_was_kept_first_stands",),
    ),
    InCode(
        "no gateway call inside a transaction",
        "src/market/payments/portone/transport.py",
        'raise RuntimeError("no network call inside a transaction")',
        ("contracts/test_trouble.py::test_nothing_is_called_inside_a_transaction",),
        "pass",
    ),
    InCode(
        "V1 is told the balance we believe in",
        "src/market/payments/portone/v1.py",
        '            "checksum": major(Money(cancellation.balance, currency)),\n',
        ("contracts/test_gateway.py::test_on_another_balance_than_we_believe_nothing_goes_back",),
    ),
    InCode(
        "V2 is told the balance we believe in",
        "src/market/payments/portone/v2.py",
        '            "currentCancellableAmount": cancellation.balance,\n',
        ("contracts/test_gateway.py::test_on_another_balance_than_we_believe_nothing_goes_back",),
    ),
    InCode(
        "a V2 refund bears its wish's key",
        "src/market/payments/portone/v2.py",
        'headers = {"Idempotency-Key": _key(cancellation)}',
        ("contracts/test_v2.py::test_a_repeat_bears_the_same_key_and_a_rebalanced_wish_another",),
        "headers: dict[str, str] = {}",
    ),
    InCode(
        "a refund of nothing is never sent",
        "src/market/payments/portone/transport.py",
        'raise ValueError(f"cancellation {cancellation.id} asks for {cancellation.amount}")',
        ("contracts/test_gateway.py::test_a_cancellation_of_nothing_never_reaches_the_wire",),
        "pass",
    ),
)

SIGNATURES = (
    InCode(
        "webhook signature compared",
        "src/market/payments/portone/signature.py",
        'hmac.compare_digest(one, other.encode("utf-8", "replace"))',
        (
            "payments/test_signature.py::test_any_other_signature_is_refused_alike",
            "contracts/test_webhook_v2.py::test_a_signature_over_the_same_words_in_other_bytes_is_none",
        ),
        "one != other",
    ),
    InCode(
        "webhook's age judged",
        "src/market/payments/portone/signature.py",
        " or not _is_recent(sent_at, now)",
        (
            "payments/test_signature.py::test_five_minutes_either_way_are_tolerated",
            "contracts/test_webhook_v2.py::test_what_is_too_old_or_without_a_signature_stays_out",
        ),
    ),
    InCode(
        "webhooks are verified at the door",
        "src/market/payments/http.py",
        "    seal.verify(request.headers, body, clock.now())\n",
        ("contracts/test_webhook_v2.py::test_what_is_too_old_or_without_a_signature_stays_out",),
    ),
    InCode(
        "a form's seal compared",
        "src/market/web/visitor.py",
        "hmac.compare_digest(given.encode(), visitor.seal.encode())",
        ("pages/test_session.py::test_a_form_without_this_session_s_seal_changes_nothing",),
        "True",
    ),
    InCode(
        "the seal of a session that ended compared",
        "src/market/web/visitor.py",
        "hmac.compare_digest(given.encode(), ours.encode())",
        ("pages/test_drafts.py::test_a_form_that_nobody_was_shown_keeps_nothing[seal]",),
        "True",
    ),
    InCode(
        "a form of one member is not kept for another",
        "src/market/web/visitor.py",
        "    if visitor.caller is not None and visitor.caller.id != member:\n"
        "        raise ForgedForm\n",
        ("pages/test_drafts.py::test_what_is_kept_for_one_member_is_not_there_for_another",),
    ),
    InCode(
        "a flash is the market's own",
        "src/market/web/visitor.py",
        "hmac.compare_digest(digest.encode(), expected.encode())",
        ("pages/test_terms.py::test_a_flash_is_believed_from_the_market_alone",),
        "True",
    ),
    InCode(
        "a form comes from a page of ours",
        "src/market/web/visitor.py",
        "    if origin is not None and not _ours(origin, request):\n        raise ForgedForm\n",
        ("pages/test_session.py::test_a_form_of_another_site_changes_nothing",),
    ),
    InCode(
        "token signature verified",
        "src/market/members/tokens.py",
        "jwt.decode(token, self._key, algorithms=[ALGORITHM])",
        (_AUTH + "test_no_forgery_opens_any_door",),
        "(lambda said: jwt.Token(said.headers(), __import__('json').loads(said.payload)))"
        "(__import__('joserfc.jws').jws.extract_compact(token.encode()))",
    ),
    InCode(
        "kinds of tokens kept apart",
        "src/market/members/tokens.py",
        '        if read.header.get("typ") != kind:\n            raise TokenInvalid\n',
        (_AUTH + "test_a_token_is_of_the_kind_it_says_whatever_else_it_claims",),
    ),
    InCode(
        "an ended session's access token opens nothing",
        "src/market/members/sql.py",
        " AND s.revoked_at IS NULL",
        (_AUTH + "test_signing_out_ends_both_tokens_at_once",),
    ),
)

_SILENCE = "operations/test_silence.py::"

DEADLINES = (
    InCode(
        "a connection that is given up is dropped, not cancelled",
        "src/market/kit/connection.py",
        "asyncio.get_running_loop().call_soon(self.terminate)",
        (_SILENCE + "test_nobody_asks_the_server_to_cancel_what_is_given_up",),
        "super()._cancel_current_command(waiter, cancel_waiter)",
    ),
    InCode(
        "one silent connection gives away the others",
        "src/market/kit/pool.py",
        "            self._drop_rested(before=now)\n",
        (_SILENCE + "test_a_connection_that_rested_is_asked_and_gives_away_the_others",),
    ),
    InCode(
        "a connection that rested is asked whether it answers",
        "src/market/kit/pool.py",
        "or now - rested_at < ASKED_AFTER_S",
        (_SILENCE + "test_a_connection_that_rested_is_asked_and_gives_away_the_others",),
        "or now >= rested_at",
    ),
    InCode(
        "a listener asks whether its line still answers",
        "src/market/kit/hearing.py",
        'await connection.execute("SELECT 1", timeout=ASKED_WITHIN_S)',
        (_SILENCE + "test_a_listener_on_a_silent_line_hears_again",),
        "pass",
    ),
    InCode(
        "what may take long is watched",
        "src/market/kit/connection.py",
        'if idle[0] != "active" and idle == before:',
        (_SILENCE + "test_what_may_take_long_is_dropped_once_the_server_has_nothing_to_do_for_it",),
        "if not idle:",
    ),
)

TERMS = (
    InCode(
        "the revision a seller saw compared",
        "src/market/products/domain.py",
        "if seen is not None and self.revision not in seen:",
        ("api/test_terms.py::test_an_edit_of_what_was_edited_since_changes_nothing",),
        "if False:",
    ),
    InCode(
        "the price a buyer saw compared",
        "src/market/products/domain.py",
        "if expected_price not in {None, self.price.amount}:",
        ("api/test_terms.py::test_in_a_group_each_buyer_is_held_to_the_price_they_saw",),
        "if False:",
    ),
    InCode(
        "the amount a party saw compared",
        "src/market/trades/domain.py",
        "if expected not in {None, self.held.amount}:",
        (
            "api/test_terms.py::test_a_seller_approves_no_amount_they_did_not_see",
            "api/test_terms.py::test_a_buyer_confirms_no_amount_they_did_not_see",
        ),
        "if False:",
    ),
    InCode(
        "a refund's request held to what it asked for",
        "src/market/payments/cancellation.py",
        "        if late or not same or self.payment_id != payment_id:\n",
        (_TERMS + "test_another_refund_under_the_same_request_is_refused",),
        "        if False:\n",
    ),
    InCode(
        "of two refunds of one request the second does nothing",
        "src/market/payments/refunds.py",
        "if wish is not None and await self._cancellations.find(wish) is not None:",
        (_TERMS + "test_of_two_clicks_at_once_both_get_the_same_answer",),
        "if False:",
    ),
    InCode(
        "members' parts of a payment are few",
        "src/market/payments/cancellation.py",
        " or (by_member and self.by_members >= MEMBERS_PARTS)",
        (
            _TERMS + "test_neither_party_can_use_up_what_the_gateway_allows",
            "contracts/test_market.py::test_the_whole_goes_back_after_any_parts_that_members_sent",
        ),
    ),
    InCode(
        "the last cancel kept for the whole of a payment",
        "src/market/payments/cancellation.py",
        "if self.all >= self.allowed - 1 or",
        (_TERMS + "test_neither_party_can_use_up_what_the_gateway_allows",),
        "if",
    ),
    InCode(
        "no operator decides about a trade of their own",
        "src/market/payments/operators.py",
        "        if party is not Party.OPERATOR:\n",
        ("api/test_console.py::test_operators_keep_their_hands_off_their_own_trades",),
        "        if False:\n",
    ),
)

_COUNTED = "api/test_rate_limits.py::test_what_reaches_the_gateway_is_counted_by_member"
_FORMS = "pages/test_limits.py::test_forms_that_reach_the_gateway_are_counted_by_member"

LIMITS = (
    InCode(
        "beginnings counted",
        "src/market/payments/http.py",
        "        await payment_limits.begin(caller.id)\n",
        (_COUNTED,),
    ),
    InCode(
        "completions counted",
        "src/market/payments/http.py",
        "        await payment_limits.complete(caller.id)\n",
        (_COUNTED,),
    ),
    InCode(
        "refunds counted",
        "src/market/payments/http.py",
        "        await payment_limits.cancel(caller.id)\n",
        (_COUNTED,),
    ),
    InCode(
        "trades called off counted",
        "src/market/trades/http.py",
        "        await payment_limits.cancel(caller.id)\n",
        (_COUNTED,),
    ),
    InCode(
        "beginnings counted, in the shop",
        "src/market/web/buying.py",
        "        await payment_limits.begin(visitor.me.id)\n",
        (_FORMS,),
    ),
    InCode(
        "trades called off counted, in the shop",
        "src/market/web/trading.py",
        "            await payment_limits.cancel(visitor.me.id)\n",
        (_FORMS,),
    ),
    InCode(
        "webhooks of one payment counted",
        "src/market/payments/limits.py",
        "return timedelta(seconds=haste.retry_after)",
        ("api/test_rate_limits.py::test_a_flood_about_one_payment",),
        "return timedelta()",
    ),
    InCode(
        "webhooks of unknown orders counted",
        "src/market/payments/webhooks.py",
        "await self._limits.unknown_webhook(address)",
        ("api/test_rate_limits.py::test_unknown_orders_are_counted_by_address",),
        "pass",
    ),
    InCode(
        "no door for V1's webhooks where V1 is not in use",
        "src/market/payments/webhooks.py",
        'elif self._gateways.today.version != "V1":',
        ("api/test_webhooks.py::test_where_v1_is_not_in_use_there_is_no_door_for_its_webhooks",),
        "elif not self._gateways.today.version:",
    ),
)

GUARDS = DEADLINES + LOCKS + VERSIONS + SNAPSHOTS + ONCE + SIGNATURES + TERMS + LIMITS
