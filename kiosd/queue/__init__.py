"""The queue: commands in, events out; pure rules in the middle."""
