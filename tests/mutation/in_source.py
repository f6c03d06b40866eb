"""The safeguards in the source: locks, version checks, reads of one snapshot, signatures,
fingerprints, limits, and what keeps an effect from happening twice.

To add one, mark its statement (`# safeguard: name`), and give it a way to be taken out and the
tests that go red without it. A new FOR UPDATE, advisory lock, version check or `compare_digest`
without a mark fails `mutation/test_list.py`, and so does a mark without an entry.
"""

from .removals import (
    call,
    condition,
    key,
    operand,
    other_method,
    row_lock,
    sql,
    statement,
    version_check,
)
from .safeguards import InSource

_LAST_LINE = "services/test_last_line.py::"
_BETWEEN = "services/test_between.py::"
_KEYS = "api/test_idempotency.py::"
_REFUNDS = "services/test_refunds.py::"
_AUTH = "api/test_auth.py::"
_TERMS = "services/test_refund_terms.py::"
_LOCKED = _LAST_LINE + "test_a_locked_row_keeps_everybody_else_out[{}]"
_PASSED_OVER = _BETWEEN + "test_rows_leased_by_one_worker_are_skipped_by_another[{}]"
_LOCK_ORDER = _BETWEEN + "test_a_wait_for_the_product_holds_no_later_lock[{}]"
_READ_BEFORE = _LAST_LINE + "test_a_stale_save_overwrites_nothing"
_OVERTAKEN = _BETWEEN + "test_a_confirmation_that_came_between_is_not_counted_twice"

LOCKS = (
    InSource("product row locked", row_lock(), (_LOCKED.format("products"),)),
    InSource(
        "product rows of a batch locked",
        row_lock(),
        (_LAST_LINE + "test_a_locked_product_keeps_a_group_of_buyers_out",),
    ),
    InSource("trade row locked", row_lock(), (_LOCKED.format("trades"),)),
    InSource("payment row locked", row_lock(), (_LOCKED.format("payments"),)),
    InSource(
        "an order's payment rows locked",
        row_lock(),
        (_LAST_LINE + "test_a_locked_order_keeps_everybody_else_out",),
    ),
    InSource(
        "refund row locked",
        row_lock(),
        (_LAST_LINE + "test_a_locked_cancellation_keeps_everybody_else_out",),
    ),
    InSource(
        "refund row locked by id",
        row_lock(),
        (_LAST_LINE + "test_a_cancellation_that_is_locked_by_id_keeps_everybody_else_out",),
    ),
    InSource(
        "refunds that await their transfer locked",
        row_lock(),
        (_LAST_LINE + "test_a_refund_whose_transfer_is_awaited_can_be_locked_by_one_alone",),
    ),
    InSource(
        "session row locked",
        row_lock(),
        (_LOCKED.format("sessions"), _AUTH + "test_concurrent_refresh_revokes_the_session"),
    ),
    InSource(
        "member row locked by email",
        row_lock(),
        (_LAST_LINE + "test_a_locked_member_keeps_everybody_else_out",),
    ),
    InSource(
        "member row locked by id",
        row_lock(),
        (_LAST_LINE + "test_a_member_who_is_locked_by_id_keeps_everybody_else_out",),
    ),
    InSource(
        "a password unchanged since it was checked",
        sql(" AND password_hash = $2 FOR SHARE", " AND $2::text IS NOT NULL"),
        (
            "services/test_social.py::test_a_password_removed_while_it_is_verified_begins_no_session",
        ),
    ),
    InSource(
        "incident row locked",
        row_lock(),
        ("services/test_incidents.py::test_concurrent_resolutions_of_an_incident_succeed_once",),
    ),
    InSource("due payments leased to one worker", row_lock(), (_PASSED_OVER.format("payments"),)),
    InSource(
        "payments due for a check leased to one worker",
        row_lock(),
        (_PASSED_OVER.format("payments to check"),),
    ),
    InSource(
        "due refunds leased to one worker", row_lock(), (_PASSED_OVER.format("cancellations"),)
    ),
    InSource("due webhooks leased to one worker", row_lock(), (_PASSED_OVER.format("webhooks"),)),
    InSource(
        "no row lock outside a transaction",
        statement(),
        (_LAST_LINE + "test_a_row_is_not_locked_outside_a_transaction",),
    ),
    InSource("product locked before its trade", statement(), (_LOCK_ORDER.format("call_off"),)),
    InSource(
        "product and trade locked before the payment",
        statement(),
        (_LOCK_ORDER.format("look_again"),),
    ),
    InSource(
        "payment locked while its account is leased",
        other_method("get_for_update", "get"),
        (_BETWEEN + "test_concurrent_requests_get_one_lease_of_an_account",),
    ),
    InSource(
        "one caller at a time has an account opened",
        operand("leased"),
        ("services/test_beginning.py::test_four_concurrent_begins_open_one_account_that_all_see",),
    ),
    InSource(
        "trade locked while a payment begins",
        statement(),
        ("services/test_paying.py::test_no_payment_is_begun_for_a_trade_that_dies_meanwhile",),
    ),
    InSource(
        "trade locked while it is approved",
        other_method("get_for_update", "get"),
        (_REFUNDS + "test_buyer_cancels_while_seller_approves_and_exactly_one_wins_100_times",),
    ),
    InSource(
        "one request per Idempotency-Key",
        sql("pg_try_advisory_xact_lock($1)", "$1::bigint IS NOT NULL"),
        (_KEYS + "test_concurrent_listings_with_one_key_get_one_conflict",),
    ),
    InSource(
        "one purchase per Idempotency-Key in all batches",
        sql("pg_try_advisory_xact_lock(n)", "true"),
        (_KEYS + "test_two_processes_with_one_key_make_one_trade",),
    ),
    InSource(
        "one migration at a time",
        sql("pg_try_advisory_xact_lock(20261122)", "true OR pg_try_advisory_xact_lock(20261122)"),
        ("operations/test_migrations.py::test_two_that_migrate_at_once_wait_for_each_other",),
    ),
    InSource(
        "migrations have a lock timeout",
        statement('lock_timeout = "0"'),
        ("operations/test_migrations.py::test_a_migration_that_gets_no_lock_holds_nobody_up",),
    ),
)

VERSIONS = (
    InSource("product version compared", version_check(), (_READ_BEFORE,)),
    InSource(
        "trade version compared",
        version_check(),
        (
            _READ_BEFORE,
            _REFUNDS + "test_seller_cancels_while_buyer_confirms_and_exactly_one_wins",
        ),
    ),
    InSource("payment version compared", version_check(), (_READ_BEFORE,)),
    InSource("product version taken from the trade's snapshot", statement(), (_OVERTAKEN,)),
)

SNAPSHOTS = (
    InSource(
        "trade and product version read in one snapshot",
        statement(
            "product = await self._db.fetch_one(\n"
            '    "SELECT version FROM products WHERE id = $1", trade.product_id\n'
            ")\n"
            'return trade, product["version"] if product else 0'
        ),
        (_OVERTAKEN,),
    ),
    InSource(
        "a statement's lines and balances read in one snapshot",
        statement(
            "rows = await self._db.fetch(\n"
            '    "SELECT 0::bigint AS opening, coalesce(sum(amount), 0)::bigint AS closing"\n'
            '    " FROM transfers WHERE credit = $1", account)\n'
            'opening, closing = rows[0]["opening"], rows[0]["closing"]'
        ),
        (_BETWEEN + "test_a_statement_agrees_with_itself_though_the_books_go_on",),
    ),
    InSource(
        "a retryable part is a savepoint",
        condition(),
        (_LAST_LINE + "test_a_retryable_part_takes_back_itself_alone",),
    ),
    InSource(
        "a reused token's revocation is committed before it is reported",
        statement("raise"),
        (_AUTH + "test_a_refresh_token_used_twice_revokes_its_session",),
    ),
)

ONCE = (
    InSource(
        "fingerprint of an Idempotency-Key compared",
        call("compare_digest", "True"),
        (_KEYS + "test_the_same_key_with_another_body_or_path_is_refused",),
    ),
    InSource(
        "fingerprint covers the path",
        call("sha256", "hashlib.sha256(body)"),
        (_KEYS + "test_a_key_is_for_one_path_though_the_bodies_are_the_same",),
    ),
    InSource(
        "a leased Idempotency-Key is in progress",
        condition(),
        (_KEYS + "test_while_the_first_asks_the_gateway_the_second_is_told_so",),
    ),
    InSource(
        "a failed request drops its own lease alone",
        sql("claimed_until = $2 AND answer IS NULL", "$2::timestamptz IS NOT NULL"),
        (_BETWEEN + "test_a_failure_after_its_lease_expired_keeps_the_next_lease",),
    ),
    InSource(
        "the first stored response stands",
        sql("WHERE idempotency_keys.answer IS NULL"),
        (_BETWEEN + "test_the_first_stored_response_stands",),
    ),
    InSource(
        "no gateway call inside a transaction",
        statement(),
        ("contracts/test_trouble.py::test_nothing_is_called_inside_a_transaction",),
    ),
    InSource(
        "V1 refunds name the expected balance",
        key("checksum"),
        ("contracts/test_gateway.py::test_on_another_balance_than_we_believe_nothing_goes_back",),
    ),
    InSource(
        "V2 refunds name the expected balance",
        key("currentCancellableAmount"),
        ("contracts/test_gateway.py::test_on_another_balance_than_we_believe_nothing_goes_back",),
    ),
    InSource(
        "V2 refunds carry an idempotency key",
        statement("headers: dict[str, str] = {}"),
        ("contracts/test_v2.py::test_a_repeat_bears_the_same_key_and_a_rebalanced_wish_another",),
    ),
    InSource(
        "a refund of zero is never sent",
        statement(),
        ("contracts/test_gateway.py::test_a_cancellation_of_nothing_never_reaches_the_wire",),
    ),
)

SIGNATURES = (
    InSource(
        "webhook signature compared",
        call("compare_digest", "True"),
        (
            "payments/test_signature.py::test_any_other_signature_is_refused_alike",
            "contracts/test_webhook_v2.py::test_a_signature_over_the_same_words_in_other_bytes_is_none",
        ),
    ),
    InSource(
        "webhook age checked",
        operand("_is_recent"),
        (
            "payments/test_signature.py::test_five_minutes_either_way_are_tolerated",
            "contracts/test_webhook_v2.py::test_old_or_unsigned_webhooks_are_refused",
        ),
    ),
    InSource(
        "webhooks verified before they are read",
        statement(),
        ("contracts/test_webhook_v2.py::test_old_or_unsigned_webhooks_are_refused",),
    ),
    InSource(
        "CSRF token compared",
        call("compare_digest", "True"),
        ("pages/test_session.py::test_a_form_without_this_session_s_seal_changes_nothing",),
    ),
    InSource(
        "CSRF token of an ended session compared",
        call("compare_digest", "True"),
        ("pages/test_drafts.py::test_a_form_that_nobody_was_shown_keeps_nothing[seal]",),
    ),
    InSource(
        "one member's form is not kept for another",
        condition(),
        ("pages/test_drafts.py::test_a_draft_is_visible_to_its_member_alone",),
    ),
    InSource(
        "flash message authenticated",
        call("compare_digest", "True"),
        ("pages/test_terms.py::test_a_flash_is_believed_from_the_market_alone",),
    ),
    InSource(
        "form's origin checked",
        condition(),
        ("pages/test_session.py::test_a_form_of_another_site_changes_nothing",),
    ),
    InSource(
        "token signature verified",
        call(
            "decode",
            "(lambda said: jwt.Token(said.headers(), __import__('json').loads(said.payload)))"
            "(__import__('joserfc.jws').jws.extract_compact(token.encode()))",
        ),
        (_AUTH + "test_a_forged_token_is_refused_everywhere",),
    ),
    InSource(
        "token type checked",
        condition(),
        (_AUTH + "test_a_token_is_of_the_kind_it_says_whatever_else_it_claims",),
    ),
    InSource(
        "a revoked session's access token refused",
        sql(" AND s.revoked_at IS NULL"),
        (_AUTH + "test_sign_out_revokes_both_tokens",),
    ),
)

_SILENCE = "operations/test_silence.py::"

DEADLINES = (
    InSource(
        "an abandoned connection is dropped, not cancelled",
        statement("super()._cancel_current_command(waiter, cancel_waiter)"),
        (_SILENCE + "test_nobody_asks_the_server_to_cancel_what_is_given_up",),
    ),
    InSource(
        "one silent connection makes the pool drop its idle ones",
        statement(),
        (_SILENCE + "test_a_connection_that_rested_is_asked_and_gives_away_the_others",),
    ),
    InSource(
        "an idle connection is probed before it is used",
        condition("True"),
        (_SILENCE + "test_a_connection_that_rested_is_asked_and_gives_away_the_others",),
    ),
    InSource(
        "a listener probes its connection",
        statement(),
        (_SILENCE + "test_a_listener_on_a_silent_line_hears_again",),
    ),
    InSource(
        "a long statement's connection is watched",
        condition("not idle"),
        (_SILENCE + "test_a_long_statement_is_dropped_once_the_server_stops_working_on_it",),
    ),
)

TERMS = (
    InSource(
        "the revision a seller saw compared",
        condition(),
        ("api/test_terms.py::test_an_edit_of_what_was_edited_since_changes_nothing",),
    ),
    InSource(
        "the price a buyer saw compared",
        condition(),
        ("api/test_terms.py::test_in_a_group_each_buyer_is_held_to_the_price_they_saw",),
    ),
    InSource(
        "the amount a party saw compared",
        condition(),
        (
            "api/test_terms.py::test_a_seller_approves_no_amount_they_did_not_see",
            "api/test_terms.py::test_a_buyer_confirms_no_amount_they_did_not_see",
        ),
    ),
    InSource(
        "the amount a refund's sender saw compared",
        condition(),
        ("api/test_terms.py::test_a_part_that_is_all_by_now_calls_off_nothing",),
    ),
    InSource(
        "a repeated refund request asks for the same",
        condition(),
        (_TERMS + "test_another_refund_under_the_same_request_is_refused",),
    ),
    InSource(
        "a refund request is carried out once",
        condition(),
        (_TERMS + "test_of_two_clicks_at_once_both_get_the_same_answer",),
    ),
    InSource(
        "members' partial refunds of a payment limited",
        operand("by_members"),
        (
            _TERMS + "test_neither_party_can_use_up_what_the_gateway_allows",
            "contracts/test_market.py::test_the_whole_goes_back_after_any_parts_that_members_sent",
        ),
    ),
    InSource(
        "the gateway's last refund kept for the whole payment",
        operand("allowed"),
        (_TERMS + "test_neither_party_can_use_up_what_the_gateway_allows",),
    ),
    InSource(
        "no operator decides about a trade of their own",
        condition(),
        ("api/test_console.py::test_operators_keep_their_hands_off_their_own_trades",),
    ),
)

_COUNTED = "api/test_rate_limits.py::test_requests_that_reach_the_gateway_are_limited_by_member"
_COMPLETIONS = "services/test_completions.py::"
_LOOKING = "services/test_looking.py::"
_FORMS = "pages/test_limits.py::test_forms_that_reach_the_gateway_are_counted_by_member"

LIMITS = (
    InSource("payment starts limited", statement(), (_COUNTED,)),
    InSource("payment completions limited", statement(), (_COUNTED, _FORMS)),
    InSource(
        "repeated payment completions delayed",
        statement(),
        (_COMPLETIONS + "test_looks_without_news_are_paced",),
    ),
    InSource(
        "refused payment completions delayed",
        statement(),
        (_COMPLETIONS + "test_whoever_would_wait_too_long_is_refused_and_not_at_once",),
    ),
    InSource(
        "a sync that changes anything takes the locks",
        operand("is_changed"),
        (_LOOKING + "test_news_waits_for_the_product[declined]",),
    ),
    InSource("refunds limited", statement(), (_COUNTED,)),
    InSource("trade cancellations limited", statement(), (_COUNTED,)),
    InSource("payment starts limited in the shop", statement(), (_FORMS,)),
    InSource("trade cancellations limited in the shop", statement(), (_FORMS,)),
    InSource(
        "webhooks of one payment limited",
        statement("return timedelta()"),
        ("api/test_rate_limits.py::test_a_flood_about_one_payment",),
    ),
    InSource(
        "webhooks of unknown orders limited",
        statement(),
        ("api/test_rate_limits.py::test_unknown_orders_are_counted_by_address",),
    ),
    InSource(
        "no V1 webhooks where V1 is not in use",
        condition(),
        ("api/test_webhooks.py::test_where_v1_is_not_in_use_there_is_no_door_for_its_webhooks",),
    ),
)

SAFEGUARDS = DEADLINES + LOCKS + VERSIONS + SNAPSHOTS + ONCE + SIGNATURES + TERMS + LIMITS
