"""What operators and machines reach over HTTP: the API, the page, probes, metrics and the intake's door."""
