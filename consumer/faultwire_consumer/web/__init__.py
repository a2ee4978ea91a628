"""The doors for operators and machines over HTTP: the API, the page, the probes and the intake."""
