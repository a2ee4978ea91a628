"""One database copied into another: every table, column and id."""
