"""kiosd: the queue daemon of a public-service kiosk."""

__version__ = "0.1.0"
