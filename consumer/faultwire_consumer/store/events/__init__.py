"""Events and incidents as operators read them, and the transitions of incidents."""
