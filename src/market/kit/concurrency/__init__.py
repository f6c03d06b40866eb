"""Batches, notifications and retries."""
