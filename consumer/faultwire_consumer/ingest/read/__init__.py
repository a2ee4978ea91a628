"""From a delivery's bytes to something storable: decoded, scrubbed and grouped."""
