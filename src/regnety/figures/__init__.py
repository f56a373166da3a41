"""Pictures of designs and results. Needs the extra `plot`."""
