"""What is wrong with a data set: found in seconds, before hours of training are spent on it. No model is needed."""
