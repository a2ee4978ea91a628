"""The composition root: a worker is put together, run and ended here."""
