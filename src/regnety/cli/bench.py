"""`regnety bench`."""

import csv
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from regnety.cli.formats import RowFormat, row_format
from regnety.cli.notices import say
from regnety.cli.options import complete_model, engines_option, image_size_option, precisions_option, quiet_option

if TYPE_CHECKING:
    from regnety.inference.latency import LatencyRow
