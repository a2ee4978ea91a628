"""Other languages' events, put into words that the fingerprint's versions know: no version itself."""
