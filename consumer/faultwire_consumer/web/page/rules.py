"""Rules and silences in use, and what they would do."""

from faultwire_consumer.web.access.declared import AccessRoutes

routes = AccessRoutes()
