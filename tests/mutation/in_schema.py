"""The safesafeguards in the schema: constraints, unique indexes, triggers.

Left out are primary keys, NOT NULL, and the tables of PgQueuer and Alembic. To add one, name it
below its table; `services/test_last_line.py` must try it.
"""

from .safeguards import InSchema

_TRIED = "services/test_last_line.py::test_a_constraint_refuses[{}]"

CONSTRAINTS = {
    "members": [
        "members_email_key",
        "members_email_in_lower_case",
        "members_password_needs_email",
    ],
    "social_accounts": [
        "social_accounts_member_id_fkey",
        "social_accounts_named",
        "social_accounts_one_per_provider",
    ],
    "product_texts": ["product_texts_product_id_fkey"],
    "photos": ["photos_place", "photos_position", "photos_product_id_fkey", "photos_size"],
    "drafts": ["drafts_member_id_fkey"],
    "draft_photos": ["draft_photos_draft_id_fkey", "draft_photos_place"],
    "notices": [
        "notices_kind",
        "notices_member_id_fkey",
        "notices_once",
        "notices_trade_id_fkey",
    ],
    "operator_acts": ["operator_acts_say_why"],
    "sessions": ["sessions_member_id_fkey"],
    "products": [
        "products_price_positive",
        "products_quantity_positive",
        "products_seller_id_fkey",
        "products_stock",
    ],
    "trades": [
        "trades_between_two",
        "trades_buyer_id_fkey",
        "trades_cancel_asked_whole",
        "trades_cancelled_at",
        "trades_fee_within_price",
        "trades_paid_by_a_payment",
        "trades_payment_id_fkey",
        "trades_price_positive",
        "trades_product_id_fkey",
        "trades_refunded_within_price",
        "trades_seller_id_fkey",
        "trades_status",
    ],
    "payments": [
        "payments_account_when_issued",
        "payments_account_whole",
        "payments_amount_positive",
        "payments_bank_of_an_account",
        "payments_buyer_while_ready",
        "payments_cancelled_within_captured",
        "payments_captured_when_paid",
        "payments_gateway",
        "payments_method",
        "payments_payer_id_fkey",
        "payments_reference_key",
        "payments_status",
        "payments_used_method",
        "payments_transfer",
        "payments_found_under_another",
        "payments_order_id_fkey",
        "payments_trade_id_fkey",
    ],
    "cancellations": [
        "cancellations_account_only_while_open",
        "cancellations_payment_id_fkey",
        "cancellations_status",
        "cancellations_within_balance",
    ],
    "incidents": [
        "incidents_once",
        "incidents_payment_id_fkey",
        "incidents_payment_with_trade",
        "incidents_settled_whole",
        "incidents_trade_id_fkey",
    ],
    "payment_events": [
        "payment_events_door",
        "payment_events_look_by_a_door",
        "payment_events_payment_id_fkey",
        "payment_events_record_whole",
        "payment_events_what",
    ],
    "transfers": [
        "transfers_amount_positive",
        "transfers_between_two",
        "transfers_kind",
        "transfers_once",
    ],
}
UNIQUE_INDEXES = [
    "members_nickname_key",
    "trades_one_live_per_buyer",
    "payments_one_open_per_trade",
    "payment_events_registered_once",
    "cancellations_one_open_per_payment",
    "webhooks_waiting",
]
TRIGGERS = {
    "transfers": ["transfers_stand", "transfers_stay"],
    "payment_events": ["payment_events_stand", "payment_events_stay"],
    "operator_acts": ["operator_acts_stand", "operator_acts_stay"],
}
# They keep nothing out: they tell those who wait, and one test each misses their voice.
VOICES = {"trades": "trades_tell", "payments": "payments_tell"}
# They keep what searches look through.
KEEPERS = {
    "products_text_added": "test_added_and_renamed_products_are_found_however_they_were_written",
    "products_text_changed": "test_an_edit_is_found_by_its_new_words_alone",
}
_HEARD = "pages/test_waiting.py::test_{}_is_heard_by_those_who_wait_for_it_alone"

SAFEGUARDS = (
    *(
        InSchema(name, f"ALTER TABLE {table} DROP CONSTRAINT {name}", (_TRIED.format(name),))
        for table, names in CONSTRAINTS.items()
        for name in names
    ),
    *(InSchema(name, f"DROP INDEX {name}", (_TRIED.format(name),)) for name in UNIQUE_INDEXES),
    *(
        InSchema(
            name,
            f"DROP TRIGGER {name} ON {table}",
            (
                "services/test_last_line.py::test_the_books_the_audit_log_and_histories_are_only_ever_added_to",
            ),
        )
        for table, names in TRIGGERS.items()
        for name in names
    ),
    *(
        InSchema(name, f"DROP TRIGGER {name} ON {table}", (_HEARD.format(what),))
        for (table, name), what in zip(
            VOICES.items(), ("a_change", "a_payments_change"), strict=True
        )
    ),
    *(
        InSchema(name, f"DROP TRIGGER {name} ON products", (f"api/test_search.py::{test}",))
        for name, test in KEEPERS.items()
    ),
)
