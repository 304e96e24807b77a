"""Manifests and lockfiles to components."""
