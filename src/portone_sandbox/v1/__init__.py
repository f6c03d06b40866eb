"""PortOne V1's REST API, below /v1."""
