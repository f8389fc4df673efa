"""The web app, `i2izoo app`: what it shows is read from the registry and from signatures (extra `app`)."""
