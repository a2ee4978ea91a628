"""Notifications, from the commit that causes them to the mark that ends them."""
