"""Access to the routes: what each declares, and who is let in."""
