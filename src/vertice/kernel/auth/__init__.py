"""Who is there: logins, sessions, tokens, roles."""
