"""Encryption at rest, one-time codes, rate limits."""
