"""Products: what is for sale, how many units are left, and the status that follows (R2, R3, R9)."""
