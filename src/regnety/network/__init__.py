"""The torch module of a description, and its creation. Needs the extra `torch`."""
