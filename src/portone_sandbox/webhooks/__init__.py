"""Delivery of webhooks: signatures, attempts, retries."""
