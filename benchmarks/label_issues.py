"""How many of labels that were exchanged at random are found, and whether the order is cleanlab's.

    python benchmarks/label_issues.py DATA FOLDER [--share 0.05] [--seeds 5] [--output label_issues.json]

DATA has the archives (see `photograph_sets.py`); FOLDER gets the sets. cleanlab must be installed. Of the training
photographs of trash and of the twenty classes, a share gets the label of another photograph of another class. Then
labels are ranked as `regnety finetune` ranks them, by the probabilities of five folds: what share of the first rows, as
many as were exchanged, are exchanged ones? The same rows are ranked by cleanlab 2's
`order_label_issues(..., rank_by="self_confidence")` on the same probabilities. The figures are means over the seeds.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from cleanlab.rank import order_label_issues
from photograph_sets import write_set
from processes import processor

import regnety
from regnety.datasets.data_sets import read_data_set
from regnety.finetuning.input_size import choose_input_size
from regnety.heads.label_issues import rank_label_issues
from regnety.inference.options import RunOptions

SETS = ("trash", "twenty-classes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--share", type=float, default=0.05, help="of labels that are exchanged (default: %(default)s)")
    parser.add_argument("--seeds", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--output", type=Path, help="a JSON file")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    measured = {}
    print(f"{'set':16}{'labels':>8}{'exchanged':>11}{'found':>8}{'by chance':>11}  order is cleanlab's")
    for name in SETS:
        embeddings, labels = embedded(write_set(name, options.data, options.folder))
        rounds = [measure(embeddings, labels, options.share, seed) for seed in range(options.seeds)]
        measured[name] = {
            "labels": len(labels),
            "exchanged": rounds[0]["exchanged"],
            "found": round(float(np.mean([row["found"] for row in rounds])), 4),
            "found_of_each_seed": [row["found"] for row in rounds],
            "as_cleanlab": all(row["as_cleanlab"] for row in rounds),
        }
        row = measured[name]
        print(
            f"{name:16}{row['labels']:8}{row['exchanged']:11}{row['found']:8.1%}{options.share:11.1%}  "
            f"{row['as_cleanlab']}"
        )
    if options.output is not None:
        facts = {"processor": processor(), "share": options.share, "seeds": options.seeds, "measured": measured}
        options.output.write_text(json.dumps(facts, indent=1) + "\n", "utf-8")


def embedded(data: Path) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.intp]]:
    """Embeddings [N, num_features] of the training photographs, at the size that `finetune` takes, and labels [N]."""
    splits = read_data_set(data).training()
    bundle = regnety.Bundle.load("regnety_cifar10")
    size = choose_input_size(bundle, splits.train, RunOptions()).pixels
    embeddings = regnety.Embedder(bundle, image_size=size).embed([sample.image for sample in splits.train])
    places = {label: index for index, label in enumerate(splits.classes)}
    return embeddings, np.array([places[sample.label] for sample in splits.train])


def measure(
    embeddings: npt.NDArray[np.float32], labels: npt.NDArray[np.intp], share: float, seed: int
) -> dict[str, Any]:
    """One exchange of labels."""
    random = np.random.default_rng(seed)
    rows = random.choice(len(labels), round(share * len(labels)), replace=False)
    given = labels.copy()
    for row in rows:
        given[row] = random.choice(labels[labels != labels[row]])
    head = regnety.fit_head(embeddings, given, seed=seed)
    probabilities = head.out_of_sample
    assert probabilities is not None
    issues = [issue.row for issue in rank_label_issues(given, probabilities, count=len(rows))]
    # cleanlab orders the rows that a mask marks: here those whose most probable class is another.
    mask = probabilities.argmax(1) != given
    order = order_label_issues(mask, given, probabilities, rank_by="self_confidence")[: len(rows)]
    same = np.array_equal(probabilities[issues, given[issues]], probabilities[order, given[order]])
    return {
        "exchanged": len(rows),
        "found": round(float(np.isin(issues, rows).mean()), 4),
        "as_cleanlab": bool(same),
    }


if __name__ == "__main__":
    main()
