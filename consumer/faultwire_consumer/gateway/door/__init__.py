"""The gateway's door: foreign requests in, answers out that their senders know."""
