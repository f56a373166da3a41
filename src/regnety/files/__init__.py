"""Files on disk and the tensors in them: opened without blocking, mapped, identified by content, never run."""
