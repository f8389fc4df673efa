"""A zoo of models that write digits."""
