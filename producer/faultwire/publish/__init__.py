"""From the queue to a confirm: the publisher and its transports."""
