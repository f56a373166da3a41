"""From bytes to pixels to the array that a model eats."""
