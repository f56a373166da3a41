"""What each code base calls the tensors of a RegNet. timm's names are ours."""

# A new dialect is one module here and its name in this row; `registry` finds the rest. Nothing is imported, as the
# command line reads the row for its choices.
DIALECT_NAMES = ("timm", "pycls", "torchvision", "transformers", "vissl")
