"""PortOne, the platform that really takes the money: the only code that knows its wire."""
