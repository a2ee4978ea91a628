"""Events are kept before they are answered: by broker or store within a second, else on disk."""
