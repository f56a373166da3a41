"""`timm.data.constants`: what the published weights are shown."""

from regnety.preprocessing import IMAGENET_MEAN, IMAGENET_STD

DEFAULT_CROP_PCT = 0.875
IMAGENET_DEFAULT_MEAN = IMAGENET_MEAN
IMAGENET_DEFAULT_STD = IMAGENET_STD
