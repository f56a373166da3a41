"""What `torch.save` writes, read and written without torch; nothing in a file is ever run."""
