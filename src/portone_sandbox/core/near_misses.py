"""Why an id was not found, where the sandbox knows what its caller probably meant (B3)."""

from portone_sandbox.core.journal import explain
from portone_sandbox.core.payments import Version
from portone_sandbox.core.store import Store


def explain_unknown_attempt(store: Store, tx_id: str) -> None:
    """No attempt has this id: is it an order's?"""
    attempts = store.list_attempts(tx_id)
    if attempts:
        explain(f"this is an order's id; its newest attempt is {attempts[-1].tx_id}")
    elif store.find_order(tx_id):
        explain("this is an order's id, and no window of it was opened yet")


def explain_unknown_order(store: Store, order_id: str, version: Version) -> None:
    """No order has this id, or none of this version: is it an attempt's, or the other version's?"""
    attempt = store.find_payment(order_id)
    if attempt:
        explain(f"this is an attempt's id; its order is {attempt.order_id}")
    elif any(other.version != version for other in store.list_attempts(order_id)):
        explain(f"a payment of the other version has this id, which {version} does not show")
    elif store.find_order(order_id):
        explain("the amount is registered, and no window was opened yet")
