"""Attack before and after the patch, in an arena; verdict and evidence."""
