"""A zoo of translators between satellite photographs and land-cover maps."""
