"""Images from nothing: generators of latents, and the adversarial methods that train them."""
