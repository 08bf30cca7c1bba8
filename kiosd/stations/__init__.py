"""Stations: what a place does with its devices."""
