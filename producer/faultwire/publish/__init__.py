"""From the caller's thread to a confirm: the buffer, the publisher and its transports."""
