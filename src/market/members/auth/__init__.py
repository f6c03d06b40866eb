"""Passwords, tokens, and limits on sign-in attempts."""
