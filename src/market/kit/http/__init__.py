"""Every HTTP edge: requests, pages of lists, problems, idempotency keys, client addresses."""
