"""One module a command. No logic; each imports what it needs within the function that runs."""
