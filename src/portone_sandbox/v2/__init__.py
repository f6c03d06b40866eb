"""PortOne V2's REST API, below /v2."""
