"""Commands of the command line; nothing here imports torch before a command runs."""
