"""Data sets in files with many images each, made for tests."""

import io
import json
import tarfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image


def png(number: int) -> bytes:
    """A picture of 8 by 8 pixels; each number has another one."""
    file = io.BytesIO()
    Image.fromarray(np.full((8, 8, 3), number, np.uint8)).save(file, "PNG")
    return file.getvalue()


def write_tar(path: Path, content: Iterable[tuple[str, bytes | tarfile.TarInfo]], **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, **{"mode": "w", **options}) as archive:
        for name, data in content:
            if isinstance(data, tarfile.TarInfo):
                archive.addfile(data)
                continue
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def shard(path: Path, labels: Sequence[str], **options: Any) -> Path:
    """A shard as WebDataset writes it, with a picture, its class and its description."""
    parts = [
        (f"{number:04d}.{suffix}", data)
        for number, label in enumerate(labels)
        for suffix, data in (("png", png(number)), ("cls", label.encode()), ("json", b"{}"))
    ]
    return write_tar(path, parts, **options)


def hub_parquet(path: Path, labels: Sequence[int]) -> Path:
    """A file as the Hub keeps images with classes, in row groups of three."""
    path.parent.mkdir(parents=True, exist_ok=True)
    images = [{"bytes": png(number), "path": f"{number}.png"} for number in range(len(labels))]
    features = {"image": {"_type": "Image"}, "label": {"names": ["cat", "dög"], "_type": "ClassLabel"}}
    table = pa.table({"image": images, "label": pa.array(labels, pa.int64())})
    pq.write_table(
        table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})}),
        path,
        row_group_size=3,
    )
    return path
