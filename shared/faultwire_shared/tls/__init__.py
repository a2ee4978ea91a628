"""TLS with an own authority and own certificates, named by settings and addresses."""
