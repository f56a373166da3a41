"""What is left open is chosen among what every node of a cluster has."""

import pytest

from bundles import small_bundle
from regnety import RunOptions
from regnety.inference.cluster.one_plan import for_all_nodes

ORT, BOTH = frozenset({"onnxruntime"}), frozenset({"onnxruntime", "openvino"})


@pytest.mark.parametrize(
    ("options", "nodes", "expected"),
    [
        (RunOptions(), [(BOTH, True), (BOTH, True)], ("auto", "auto")),
        (RunOptions(), [(BOTH, True), (BOTH, False)], ("auto", "f32")),
        (RunOptions(), [(BOTH, True), (ORT, True)], ("onnxruntime", "auto")),
        (RunOptions(), [(ORT, False), (BOTH, True)], ("onnxruntime", "f32")),
        (RunOptions(precision="bf16"), [(BOTH, True), (ORT, True)], ("auto", "bf16")),
        (RunOptions(engine="openvino", workers=2), [(BOTH, True), (ORT, False)], ("openvino", "f32")),
    ],
)
def test_the_options_for_all_nodes(
    options: RunOptions, nodes: list[tuple[frozenset[str], bool]], expected: tuple[str, str]
) -> None:
    found = for_all_nodes(options, small_bundle(), nodes)
    assert (found.engine, found.precision, found.workers) == (*expected, options.workers)
