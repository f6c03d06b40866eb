"""Members, their sign-in and their sessions (R1, R14)."""
