"""Releases: what each brought, ended and brought back."""

from faultwire_consumer.web.access.declared import AccessRoutes

routes = AccessRoutes()
