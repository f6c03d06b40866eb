"""Social sign-in (OAuth 2, OpenID Connect): one class per provider, named in the path."""
