"""Published weights on their way from the Hugging Face Hub to this disk."""
