"""Files as they stand on disk, whatever is in them: opened without waiting, mapped, known again by their content."""
