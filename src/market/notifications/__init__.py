"""Notifications to members about their trades."""
