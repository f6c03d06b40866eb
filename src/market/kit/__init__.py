"""Machinery that knows no trading: database, HTTP edges, idempotency keys, jobs, retries."""
