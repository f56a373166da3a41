"""A model on its way to workers: the file where they see it too, else its bytes through Ray's object store."""

import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from regnety.bundle.bundle import Bundle
from regnety.errors import ClusterError, WeightsError
from regnety.files.content_identity import ModelFiles
from regnety.metadata.model_metadata import ModelMetadata
from regnety.storage import cache_directory, locked, replacing_folder
from regnety.version import __version__


@dataclass(frozen=True, slots=True)
class ShippedModel:
    """What a worker needs to have the model: its graph, a model by itself, and what was asked for beside it."""

    version: str
    metadata: ModelMetadata
    name: str
    place: str | None
    """The graph's file where it was sent; None where it never was one."""
    stamp: str | None
    """What is in that file (`Bundle.stamp`)."""
    digest: str | None
    """SHA-256 of the files; None where they are not sent."""
    files: tuple[tuple[str, Any], ...]
    """Name and, in the object store, bytes."""

    def bundle(self) -> Bundle:
        """The model in a worker.

        Raises:
            ClusterError: the worker has another release of regnety, or not the file.
            WeightsError: the file is damaged.
            OSError: the cache of the worker's machine cannot be written.
        """
        if self.version != __version__:
            raise ClusterError(f"the worker has regnety {__version__}, the command {self.version}; install the same")
        bundle = self._in_place() or Bundle.load(self._brought())
        return Bundle(
            self.metadata,
            bundle.weights,
            name=self.name,
            path=bundle.path,
            files=bundle.files,
            graph=bundle.graph,
        )

    def _in_place(self) -> Bundle | None:
        """The file where it was sent, if this machine has it and it is the same."""
        if self.place is None:
            return None
        with suppress(WeightsError):
            bundle = Bundle.load(self.place)
            if bundle.stamp == self.stamp:
                return bundle
        return None

    def _brought(self) -> Path:
        """The file that came along."""
        if self.digest is None:
            raise ClusterError(f"{self.place}: is not the file that it was when the workers started")
        import ray

        folder = cache_directory() / "graphs" / f"shipped-{self.digest}"
        with locked(folder):
            if not folder.is_dir():
                with replacing_folder(folder) as beside:
                    for name, data in self.files:
                        (beside / name).write_bytes(ray.get(data))
        return folder / self.files[0][0]


def ship(bundle: Bundle, *, same_machine: bool) -> ShippedModel:
    """Make a model ready for workers.

    Args:
        bundle: any model.
        same_machine: every worker sees the files of this process.

    Raises:
        WeightsError: the model's graph cannot be built.
    """
    from regnety.graph.onnx_files import read_onnx
    from regnety.inference.engines.graph_cache import graph_of

    graph = graph_of(bundle)
    if isinstance(graph, bytes):
        contents = [("model.onnx", graph)]
        place, stamp = None, None
    else:
        graph = Path(os.path.abspath(graph))
        stored = read_onnx(graph)
        place, stamp = str(graph), ModelFiles(stored.mapped).identity
        contents = [] if same_machine else [(file.path.name, bytes(file.data[:])) for file in stored.mapped]
    digest, files = None, []
    if contents:
        import ray

        summed = hashlib.sha256()
        for name, data in contents:
            summed.update(name.encode() + b"\0" + data)
            files.append((name, ray.put(data)))
        digest = summed.hexdigest()[:32]
    return ShippedModel(__version__, bundle.metadata, bundle.name, place, stamp, digest, tuple(files))
