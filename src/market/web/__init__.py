"""The shop in a browser: pages over the same services as the API. No rule of trading is here."""
