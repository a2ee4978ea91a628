"""Reports: incidents, events and lists as Markdown, for people who paste them and for coding agents."""
