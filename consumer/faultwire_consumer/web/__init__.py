"""What operators and machines reach over HTTP: the API, the page, probes and the intake's door."""
