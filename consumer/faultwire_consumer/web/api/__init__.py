"""The API under ``/api/v1``: a module for each kind of thing, and the documents in their answers."""
