"""What a person asks about a broker: ``kiosd mqtt`` and ``kiosd outbox``."""
