"""Scan results as table, JSON, SARIF and CycloneDX."""
