"""Neighbours and near-duplicates among many embeddings: time and memory.

    OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 \\
        python benchmarks/similar_images.py [--images 100000] [--features 368] [--repeats 5] [--output FILE.json]

The embeddings are made here and look like pooled features: around centres, not negative, a hundredth almost copies.
Neighbours are found from the file, as `regnety neighbours` does it; then with everything in memory and normalised.
The figures are seconds of the processor, the least of the repeats, with one thread, so that other work on the machine
does not count. Near-duplicates are found by a separate process.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from processes import processor

from regnety import Embeddings, find_neighbours
from regnety.inference.similarity.embedding_files import BLOCK_BYTES, EmbeddingBlock
from regnety.inference.similarity.neighbours import normalised
from stored_embeddings import pooled, stored_embeddings

QUERIES = (1, 10, 100, 300, 1000, 3000)
TOP_K = 5
DUPLICATES = """
import json, sys, time
from pathlib import Path
from regnety import find_duplicates, read_embeddings
begin = time.monotonic(), time.process_time()
groups = find_duplicates(read_embeddings(sys.argv[1]))
facts = {"seconds": time.monotonic() - begin[0], "processor_s": time.process_time() - begin[1], "groups": len(groups)}
peak = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
print(json.dumps({**facts, "peak_mib": int(peak[0].split()[1]) / 1024}))
"""
"""The peak of a process begins anew with the program that it runs, as VmHWM has it; Linux only."""


class InMemory:
    """What a file of embeddings gives, without the file."""

    def __init__(self, values: npt.NDArray[np.float32]) -> None:
        import pyarrow as pa

        self.num_images, self.num_features = values.shape
        rows = max(1, BLOCK_BYTES // (4 * self.num_features))
        names = pa.array([str(row) for row in range(len(values))])
        self._blocks = [EmbeddingBlock(values[b : b + rows], names[b : b + rows]) for b in range(0, len(values), rows)]

    def blocks(self) -> list[EmbeddingBlock]:
        return self._blocks


def seconds(work: Callable[[], Any], repeats: int) -> float:
    """Of the processor, the least of some runs."""
    found = []
    for _ in range(repeats):
        begin = time.process_time()
        work()
        found.append(time.process_time() - begin)
    return min(found)


def time_searches(stored: Embeddings, repeats: int) -> list[dict[str, Any]]:
    """A row for each number of queries: from the file, and what of that is the search."""
    in_memory: Any = InMemory(normalised(stored.load()[1]))
    rows = []
    for count in QUERIES:
        queries = normalised(pooled(count, stored.num_features, seed=1))
        from_file = seconds(lambda q=queries: find_neighbours(q, stored, TOP_K), 2)
        search = seconds(lambda q=queries: find_neighbours(q, in_memory, TOP_K), repeats)
        rows.append({"queries": count, "from_file_s": from_file, "search_s": search})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--features", type=int, default=368)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    values = pooled(arguments.images, arguments.features, classes=100)
    copies = np.random.default_rng(5).choice(len(values), len(values) // 100, replace=False)
    values[copies] = values[(copies + 7) % len(values)] + 0.02 * values[(copies + 99) % len(values)]
    with tempfile.TemporaryDirectory() as folder:
        stored = stored_embeddings(Path(folder) / "embeddings.parquet", values)
        rows = time_searches(stored, arguments.repeats)
        del values
        child = subprocess.run([sys.executable, "-c", DUPLICATES, stored.path], stdout=subprocess.PIPE, check=True)
        duplicates = json.loads(child.stdout)
    print(f"{processor()}; {arguments.images} embeddings of {arguments.features} features")
    for row in rows:
        print("  ".join(f"{name} {value:.4g}" for name, value in row.items()))
    print("duplicates  " + "  ".join(f"{name} {value:.4g}" for name, value in duplicates.items()))
    if arguments.output is not None:
        facts = {"processor": processor(), **vars(arguments), "neighbours": rows, "duplicates": duplicates}
        arguments.output.write_text(json.dumps(facts, indent=2, default=str) + "\n", "utf-8")


if __name__ == "__main__":
    main()
