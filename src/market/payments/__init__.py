"""Payments: money asked for, looked at where it lies, and sent back (P1–P5, P7)."""
