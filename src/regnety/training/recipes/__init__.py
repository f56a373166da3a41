"""What one training run does: the fields of a recipe, and the recipes that have a name."""
