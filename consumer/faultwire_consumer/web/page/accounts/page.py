"""Accounts, tokens and the audit, for admins."""

from faultwire_consumer.web.access.declared import AccessRoutes

routes = AccessRoutes()
