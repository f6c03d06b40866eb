"""A local PortOne: both REST APIs, the checkout window, banks, webhooks and faults."""

__version__ = "0.1.0"
