"""The journal: the one durable truth."""
