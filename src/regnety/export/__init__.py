"""Models in the forms that others read: each is run and compared with its source before it is kept."""

from regnety.weights.dialects import DIALECT_NAMES

# here and not in `targets`, as the command line reads it for its choices and must not import more
TARGETS = ("regnety", *DIALECT_NAMES, "onnx")
