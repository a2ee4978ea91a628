"""Copying of a database into another one: every table, column and id."""
