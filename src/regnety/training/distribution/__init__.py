"""Several processes that train one network: who they are, what each does of a batch, what they add up."""
