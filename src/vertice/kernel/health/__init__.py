"""Is it alive, is it ready, and what of what it needs is not well? Answers in under a second, whatever hangs."""
