"""Deliveries in and settlements out: a lane each, over AMQP and HTTP."""
