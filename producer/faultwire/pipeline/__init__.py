"""From a handled error to a queued event: filter, storm, processors, scrubbing, encoding."""
