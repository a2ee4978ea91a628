"""Producers by service: who reports, who went quiet, and what is missing."""

from faultwire_consumer.web.access.declared import AccessRoutes

routes = AccessRoutes()
