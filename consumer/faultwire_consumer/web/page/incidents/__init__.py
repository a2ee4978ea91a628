"""The list of incidents, which answers before a click: tiles, the query as text, facets, rows."""
