"""The test-only API, below /control."""
