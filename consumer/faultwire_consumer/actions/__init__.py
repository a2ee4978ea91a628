"""Operators' actions: the one entry for command line, API, page and agents, a module for each noun."""
