"""Files that hold tensors, whatever the tensors are called: read in place, written whole or not at all."""
