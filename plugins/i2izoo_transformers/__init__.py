"""Vision Transformers: an encoder, a discriminator, a classifier, and the innermost level of a U-Net."""
