"""Notifications with every attempt, and what is to be done about those that were given up."""

from faultwire_consumer.web.access.declared import AccessRoutes

routes = AccessRoutes()
