"""Drivers: one file for one kind of hardware."""
