"""Access: who somebody is to the worker, and what that person or program may do."""
