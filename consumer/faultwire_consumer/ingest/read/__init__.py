"""From a delivery's bytes to what can be stored: decoded, scrubbed and grouped."""
