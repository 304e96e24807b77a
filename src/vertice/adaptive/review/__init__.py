"""The queue a person decides in, and its audit trail."""
