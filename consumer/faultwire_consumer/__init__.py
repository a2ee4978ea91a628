"""The worker, the store and the operators' surfaces of faultwire."""
