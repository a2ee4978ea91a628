"""The history of a store read for a rehearsal of rules, and the scratch store that it is played into."""
