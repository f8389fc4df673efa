"""Data that is not a folder of images: tables of Hugging Face's `datasets`, and shards of WebDataset."""
