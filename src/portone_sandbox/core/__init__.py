"""The gateway itself: payments, money, banks, the clock, and the store, without HTTP."""
