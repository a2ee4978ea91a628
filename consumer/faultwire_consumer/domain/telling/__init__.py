"""Notifications beside what rules tell of events: what explains, follows or ends them."""
