"""`timm.data.config`."""

from regnety.bundle.data_config import resolve_data_config as resolve_data_config
from regnety.bundle.data_config import resolve_model_data_config as resolve_model_data_config
