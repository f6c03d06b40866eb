"""The checkout window in a browser, and the SDK scripts that open it."""
