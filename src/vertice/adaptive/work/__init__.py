"""The durable worker: scans, heals, wargames and decisions, shared by as many processes as there are."""
