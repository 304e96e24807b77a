"""The Adaptive Immune System: from a lockfile to a proven, reviewed patch."""
