"""A model on its way to workers: its file if they see it too, else its bytes through Ray's object store."""

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
from regnety.storage.cache import cache_folder
from regnety.storage.locks import locked
from regnety.storage.replacing import replacing_folder
from regnety.version import __version__


@dataclass(frozen=True, slots=True)
class ShippedModel:
    """What a worker needs: the model's graph, and the metadata, which may have been changed since it was loaded."""

    version: str
    metadata: ModelMetadata
    name: str
    place: str | None
    """The graph's file on the sending machine; None if it is not a file."""
    stamp: str | None
    """Identifies that file's content (`Bundle.stamp`)."""
    digest: str | None
    """SHA-256 of the files; None if they are not sent."""
    files: tuple[tuple[str, Any], ...]
    """Name and, in the object store, bytes."""

    def bundle(self) -> Bundle:
        """The model in a worker.

        Raises:
            ClusterError: the worker has another release of regnety, or does not have the file.
            WeightsError: the file is damaged.
            OSError: the cache of the worker's machine cannot be written.
        """
        if self.version != __version__:  # pickled classes of another release may not fit, or answer otherwise
            raise ClusterError(f"the worker has regnety {__version__}, the command {self.version}; install the same")
        bundle = self._in_place() or Bundle.load(self._unpack())
        return Bundle(
            self.metadata,
            bundle.weights,
            name=self.name,
            path=bundle.path,
            files=bundle.files,
            graph=bundle.graph,
        )

    def _in_place(self) -> Bundle | None:
        """The file at its own place, if this machine has the same one there."""
        if self.place is None:
            return None
        # none there, or another file of that name: then it comes through the object store
        with suppress(WeightsError):
            bundle = Bundle.load(self.place)
            if bundle.stamp == self.stamp:
                return bundle
        return None

    def _unpack(self) -> Path:
        """The file from the object store, written once per machine."""
        if self.digest is None:
            raise ClusterError(f"{self.place}: is not the file that it was when the workers started")
        import ray

        folder = cache_folder("graphs") / f"shipped-{self.digest}"
        with locked(folder):  # the workers of a machine start at the same time
            if not folder.is_dir():
                with replacing_folder(folder) as beside:
                    for name, data in self.files:
                        (beside / name).write_bytes(ray.get(data))
        return folder / self.files[0][0]


def ship(bundle: Bundle, *, same_machine: bool) -> ShippedModel:
    """Make a model ready for workers.

    Args:
        bundle: any model.
        same_machine: all workers see this process's files.

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
        graph = Path(os.path.abspath(graph))  # workers have another current folder
        stored = read_onnx(graph)
        place, stamp = str(graph), ModelFiles(stored.mapped).identity
        # Copied out of the mapped files now: Ray serialises what it is given, and the files may change.
        contents = [] if same_machine else [(file.path.name, bytes(file.data[:])) for file in stored.mapped]
    digest, files = None, []
    if contents:
        import ray

        summed = hashlib.sha256()
        for name, data in contents:
            # names count too: a graph names the files of its arrays
            summed.update(name.encode() + b"\0" + data)
            files.append((name, ray.put(data)))
        digest = summed.hexdigest()[:32]
    return ShippedModel(__version__, bundle.metadata, bundle.name, place, stamp, digest, tuple(files))
