"""A small shop with three services. Everything that fails here really fails; nothing is made up."""
