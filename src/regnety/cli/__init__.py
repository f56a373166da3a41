"""The command line: one module a command, no logic; each imports what it needs inside the function that runs."""
