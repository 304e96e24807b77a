"""Which findings matter: reachability, severity, priority, waivers."""
