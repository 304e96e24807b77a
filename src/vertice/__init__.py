"""Vértice: an immune system for the Python services a small team runs in production."""

__version__ = "0.1.0"
