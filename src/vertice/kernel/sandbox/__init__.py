"""A sealed place to run foreign code: bubblewrap with limits, and a way out to the package index alone."""
