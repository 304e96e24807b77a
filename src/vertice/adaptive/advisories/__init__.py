"""OSV advisories: sync, store, match."""
