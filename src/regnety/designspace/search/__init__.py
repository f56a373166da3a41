"""A design for one's own data under a measured budget: candidates, their front, and the best of them trained."""
