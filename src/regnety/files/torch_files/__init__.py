"""Files of `torch.save`, read and written without torch. Nothing in a file is ever run."""
