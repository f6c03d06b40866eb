"""Processes that are killed in the middle of their work, and what is left of it (Q3, P10)."""
