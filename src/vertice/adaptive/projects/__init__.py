"""Registered projects, their scans and findings, and who works on them."""
