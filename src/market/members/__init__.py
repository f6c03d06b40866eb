"""Members: who they are, how they sign in, and the sessions they hold (R1, R14)."""
