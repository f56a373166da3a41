"""`timm.data.transforms_factory`."""

from regnety.data import create_transform as create_transform
