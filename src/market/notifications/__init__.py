"""Notices: what a member is told of their trades, and whether they have seen it."""
