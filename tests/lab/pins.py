"""Pins of tests/lab/kiosd.toml."""

F, G, ADVANCE, RATE_4, LAMP_READY = 4, 17, 26, 5, 18
