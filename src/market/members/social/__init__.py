"""One strategy per social provider: each is one class, chosen by its name in the path."""
