"""Design spaces: sampled, trained as populations, compared."""
