"""Carries a decision out on the forge."""
