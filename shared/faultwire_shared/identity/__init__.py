"""Words that tell two faults apart, alike for the storm of a client and the fingerprint of a worker."""
