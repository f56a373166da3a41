"""`timm.data.constants`: the crop and normalisation of the published weights."""

from regnety.preprocessing import IMAGENET_MEAN, IMAGENET_STD

DEFAULT_CROP_PCT = 0.875
IMAGENET_DEFAULT_MEAN = IMAGENET_MEAN
IMAGENET_DEFAULT_STD = IMAGENET_STD
