"""The ledger: every movement of money, as a transfer from one account to another (P9)."""
