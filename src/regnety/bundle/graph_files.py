"""An ONNX file or an OpenVINO model: one that regnety wrote, or another ONNX file in which a RegNet is recognised."""

from dataclasses import replace
from pathlib import Path

from regnety.bundle.folders.ours import weights_in
from regnety.bundle.foreign_weights import ForeignWeights
from regnety.bundle.model import Model
from regnety.catalog.models import model_info
from regnety.errors import WeightsError
from regnety.files.content_identity import ModelFiles
from regnety.graph.stored_graph import StoredGraph
from regnety.metadata.model_metadata import KEY, ModelMetadata, metadata_from_json
from regnety.preprocessing import Preprocessing


def read_graph_file(path: str | Path) -> Model:
    """Read a graph's file; of the weights only names and shapes are read now.

    Args:
        path: an `.onnx` file, or the `.xml` of an OpenVINO model.

    Raises:
        WeightsError: the file is damaged, or no RegNet is recognised in it; the message begins with its name.
    """
    path = Path(path)
    if path.suffix.lower() == ".xml":
        from regnety.graph.openvino_files import read_openvino

        graph = read_openvino(path)
    else:
        from regnety.graph.onnx_files import read_onnx

        graph = read_onnx(path)
    files = ModelFiles(graph.mapped)
    if KEY not in graph.properties:  # the same JSON as in a bundle's config.json
        return _foreign_model(graph, files)
    metadata = metadata_from_json(graph.properties[KEY], source=str(path))
    return Model(metadata, weights_in(graph, metadata), name=str(path), path=path, files=files, graph=graph)


def _foreign_model(graph: StoredGraph, files: ModelFiles) -> Model:
    if graph.path.suffix.lower() == ".xml":
        raise WeightsError(f"{graph.path}: was not written by regnety; export other programs' models to ONNX")
    from regnety.graph.foreign import read_foreign

    model = read_foreign(graph)
    assumed = model_info(model.name).published
    assert assumed is not None  # only designs with published weights are recognised
    preprocessing, size = _preprocessing(graph, assumed.preprocessing)
    metadata = ModelMetadata(
        design=model.architecture.design,
        num_classes=model.architecture.num_classes,
        in_chans=model.architecture.in_chans,
        preprocessing=preprocessing.for_channels(model.architecture.in_chans),
        provenance={"source": graph.path.name},  # not the path, which a saved bundle should not tell others
    )
    notice = (
        f"{graph.path} was not written by regnety; it fits {model.name}; {size}the preprocessing of {assumed.name} is "
        "assumed"
    )
    weights = ForeignWeights(graph, files, model, preprocessing.image_size)
    return Model(metadata, weights, name=str(graph.path), path=graph.path, files=files, notice=notice, graph=graph)


def _preprocessing(graph: StoredGraph, assumed: Preprocessing) -> tuple[Preprocessing, str]:
    """The assumed preprocessing at the size that the graph's input has, and what a notice says of the size.

    Raises:
        WeightsError: the input is not square.
    """
    height, width = graph.image_size or (None, None)
    if height is not None and width is not None and height != width:
        raise WeightsError(
            f"{graph.path}: takes images of {height}x{width} pixels, but regnety feeds square ones; export it with a "
            "free or a square height and width"
        )
    size = height or width  # exporters may leave one of them free
    if size is None or size == assumed.image_size:
        return assumed, ""
    try:
        preprocessing = replace(assumed, image_size=size, test_image_size=None, test_crop_pct=None)
    except WeightsError as error:
        raise WeightsError(f"{graph.path}: {error}") from None
    if size == assumed.test_image_size:  # then the crop that goes with it is known, too
        preprocessing = assumed.at_test_size()
    return preprocessing, f"it takes {size}x{size} pixels; for the rest "
