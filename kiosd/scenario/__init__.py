"""``kiosd scenario``: days of a kiosk from a text file, played against the real rules and journal under a clock of their own."""
