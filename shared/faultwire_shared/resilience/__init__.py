"""Try again, give up, stop asking: retries and circuit breakers for whichever service imports them."""
