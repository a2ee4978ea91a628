"""Settings as pods, hosts and people hand them over: which addresses are some, and which variables none."""
