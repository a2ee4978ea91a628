"""One module for each host that a service may live in; each imports its host, so import only your own."""
