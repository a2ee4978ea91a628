"""The worker's health in words, check by check."""

from faultwire_consumer.web.access.declared import AccessRoutes

routes = AccessRoutes()
