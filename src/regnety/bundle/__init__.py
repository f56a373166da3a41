"""A model as one folder, and the resolver of MODEL."""
