"""Every step of paying and cancelling, and all that can go wrong on the way (P3, P5, P7)."""
