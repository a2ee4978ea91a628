"""Deliveries in and settlements out, lane by lane, over AMQP and HTTP."""
