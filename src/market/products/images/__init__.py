"""Photos: a header check, then processing in a process of its own."""
