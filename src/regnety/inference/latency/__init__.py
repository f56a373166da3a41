"""How long models take on this machine, measured, and which of them to take."""
