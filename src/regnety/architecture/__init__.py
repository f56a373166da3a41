"""What a RegNet is: designs, the description that every reader reads, and its counting. Standard library only."""
