"""`timm.data.transforms_factory`."""

from regnety import create_transform as create_transform
