"""Logs, traces and the access log."""
