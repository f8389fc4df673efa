"""A zoo of models that colour and restore old photographs from the air."""
