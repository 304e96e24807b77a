"""What every HTTP service of ours needs."""
