"""The smallest change that removes a vulnerability and still resolves."""
