"""A zoo of models that colour old photographs from the air."""
