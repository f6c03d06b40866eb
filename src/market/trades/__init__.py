"""Trades: one buyer, one unit, from the press of the buy button to the confirmation (R4–R11)."""
