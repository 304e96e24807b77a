"""The ground every service stands on: errors, settings, files, text, sandbox."""
