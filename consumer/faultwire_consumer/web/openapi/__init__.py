"""The API's description by OpenAPI 3.1, made of what each route declares beside its handler."""
