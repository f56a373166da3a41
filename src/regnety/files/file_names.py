"""What the files of a model are called in a folder: the Hub's layout, which timm, transformers and regnety share.

Also those by which a run is known, whose folder has a model in it.
"""

CONFIG_FILE = "config.json"
PROCESSOR_FILE = "preprocessor_config.json"
"""Of transformers: size, crop, mean and std."""
WEIGHTS_FILE = "model.safetensors"
INDEX_SUFFIX = ".index.json"
"""After the name of the weights, where they are in shards: which shard has which tensor."""
# The order in which timm and transformers look for them: a folder with both kinds was converted, and the .bin is older.
WEIGHTS_FILES = (
    WEIGHTS_FILE,
    f"{WEIGHTS_FILE}{INDEX_SUFFIX}",
    "pytorch_model.bin",
    f"pytorch_model.bin{INDEX_SUFFIX}",
)
GRAPH_FILE = "model.onnx"
"""Beside the weights, to be run without regnety, or instead of them."""
GRAPH_DATA_FILE = f"{GRAPH_FILE}.data"
"""The arrays of a graph that is larger than protobuf allows (2 GiB)."""
TRAINING_FILES = "training_files.bin"
"""In a bundle of ours: hashes of the pictures that the model was trained on."""
RECIPE_FILE = "recipe.yaml"
FINETUNE_FILE = "finetune.json"
RUN_FILES = (RECIPE_FILE, FINETUNE_FILE)
"""By which the folder of a run is known: `regnety train` writes the first, `regnety finetune` the second."""
