"""Events that wait to be published: in memory, and on disk while there is nobody to publish to."""
