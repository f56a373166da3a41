"""Whether a classifier of so many classes can be fitted here, before anything has been computed.

Rows times classes is what counts: the fit holds a few arrays of that size, and a table of confusions is classes times
classes. Without this a data set whose labels are names of files would end with the system's "Killed".
"""

import os
from pathlib import Path

from regnety.datasets.samples import DataSplits
from regnety.errors import DataError

ARRAYS = 8
"""Arrays of float32 [rows, classes] at the peak of a fit, measured."""
LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""What a container may use."""


def check_memory(splits: DataSplits) -> None:
    """Refuse more photographs times classes than fit into this machine's memory.

    Raises:
        DataError: they do not.
    """
    rows, classes = len(splits.train), len(splits.classes)
    needed = 4 * ARRAYS * rows * classes + 8 * classes * classes
    there = available_bytes()
    if there is not None and needed > there:
        raise DataError(
            f"{splits.root}: a classifier of {classes} classes on {rows} photographs needs {needed / 2**30:.0f} GiB of "
            f"memory, {there / 2**30:.0f} are free; are the labels those of classes? Else give it fewer, or use `train`"
        )


def available_bytes() -> int | None:
    """Memory that is free or can be freed; None where the system does not say."""
    found = []
    try:
        found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
        lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text("ascii").splitlines())
        found.append(1024 * int(lines["MemAvailable"].split()[0]))
    except (OSError, ValueError, LookupError, AttributeError):  # not on Linux; on Windows there is no sysconf
        pass
    for place in LIMITS:
        try:
            found.append(int(Path(place).read_text("ascii")))
        except (OSError, ValueError):  # there is none, or it says "max"
            continue
    return min(found, default=None)
