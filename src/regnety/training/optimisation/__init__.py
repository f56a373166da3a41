"""What changes the weights: optimisers, schedules, averaged weights, statistics of batch norm."""
