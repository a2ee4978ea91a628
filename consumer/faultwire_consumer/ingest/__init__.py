"""From a delivery to a committed row: receive, decode, group, store, settle."""
