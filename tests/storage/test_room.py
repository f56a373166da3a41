"""Room on a disk."""

import errno
import re
import shutil
from pathlib import Path

import pytest

from regnety.storage.room import check_room, disk_full


def test_room_on_a_disk_is_that_of_the_nearest_folder(tmp_path: Path) -> None:
    place = tmp_path / "not" / "yet" / "there"
    check_room(place, shutil.disk_usage(tmp_path).free // 2)
    with pytest.raises(
        OSError, match=r"the disk is full: 1,152,921,504,606,846,976 more bytes are needed and [\d,]+ are"
    ) as e:
        check_room(place, 1 << 60)
    assert (e.value.errno, e.value.filename) == (errno.ENOSPC, str(place))
    assert re.fullmatch(r"the disk is full: [\d,]+ are free", disk_full(place).strerror or "")
