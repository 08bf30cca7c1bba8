"""Links: how messages travel between a queue and whoever uses it from afar."""
