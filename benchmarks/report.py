"""Writes the documentation's page of benchmarks from what the scripts measured.

    python benchmarks/report.py RESULTS PAGE

reads what RESULTS has of files_to_labels-*.json, same_answers-*.json and model_alone.json, and writes PAGE (Markdown)
with its picture beside it. `make bench` runs the scripts and then this.
"""

import json
import statistics
import sys
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from model_alone import markdown

HEAD = """# Benchmarks

Written by `make bench`. Each table names its script and the processor. The rows of a table were measured in one run, in
turns, so that other work on the machine affects all of them alike.

"""
FILES = """## From a folder of photographs to a file of labels

`benchmarks/files_to_labels.py` measures whole processes, from the command to its end, in rounds in which each has its
turn. Figures are medians, and medians of the ratios within a round. *timm, 256* is timm's loop with its default
settings (batches of 256, 2 workers), *timm, 32* the same with batches of 32; *by hand* is a loop of OpenVINO and
Pillow, one photograph after the other, on timm's own export; *regnety* is `regnety predict` with its default settings
and the plan of an earlier run in its cache.
"""
SAME = """## The same answers

`benchmarks/same_answers.py` counts the photographs whose first class differs from that of timm's network in f32 on
timm's own pixels, and how many of them are close calls: there, their two best probabilities are less than a hundredth
apart. The weights come from `benchmarks/answering_model.py`. They are random, with the statistics of batch norm set on
the photographs, and each of the 300 classes is one of the photographs, so the answer is the photograph that is most
similar. For many photographs that is a close call; for a trained model there are fewer. The regnety_002 of
{doc}`pixels`, which is 41 % accurate, gives 1 of 1,000 photographs another answer in f32 and 9 in bf16, and all of them
are close calls.

"""
ALONE = """## The model alone

`benchmarks/model_alone.py` compares the row that `regnety bench` marks as `auto` with the better of ONNX Runtime and
OpenVINO on timm's own export with the same weights, and with timm in PyTorch.

"""


def files_table(report: dict[str, Any]) -> str:
    """One model and size of photographs."""
    results = report["results"]
    bases = list(next(iter(results.values()))["over"])
    head = ["", "seconds", "images/s", "peak MiB", *(f"over {base}" for base in bases)]
    lines = [
        f"### {report['model']}, {report['count']} photographs of {report['size']}",
        "",
        f"{report['processor']}; {report['rounds']} rounds",
        "",
        f"| {' | '.join(head)} |",
        f"| --- {'| ---: ' * (len(head) - 1)}|",
    ]
    for name, result in results.items():
        cells = [name, f"{statistics.median(result['seconds']):.2f}", f"{result['images_per_s']:.0f}"]
        cells += [f"{result['peak_mib']:.0f}", *(f"{result['over'][base]:.2f}" for base in bases)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", *(f"    {line}" for line in report["stages"]), ""])


def same_table(report: dict[str, Any]) -> str:
    """One model and size of photographs."""
    photographs = f"{report['photographs']} photographs of {report['size']}"
    lines = [
        f"### {report['model']}, {photographs}, answers",
        "",
        f"{report['processor']}; timm gives {report['different_answers']} different answers, "
        f"{report['close_calls']} of all are close calls",
        "",
        "| | other answers | of them close calls |",
        "| --- | ---: | ---: |",
    ]
    for name, row in report["rows"].items():
        lines.append(f"| {name} | {row['other_answer']} | {row['of_them_close_calls']} |")
    return "\n".join([*lines, ""])


def draw(reports: list[dict[str, Any]], path: Path) -> None:
    """Photographs a second of every contender, a panel for each model and size."""
    figure, panels = plt.subplots(1, len(reports), figsize=(4.6 * len(reports), 3.4), squeeze=False)
    for panel, report in zip(panels[0], reports, strict=True):
        names = list(report["results"])[::-1]
        rates = [report["results"][name]["images_per_s"] for name in names]
        bars = panel.barh(
            names, rates, color=["#2f6f4f" if name.startswith("regnety") else "#b0b0b0" for name in names]
        )
        panel.bar_label(bars, fmt="%.0f", padding=3, fontsize=8)
        panel.set_title(f"{report['model']}, {report['size']}", fontsize=10)
        panel.set_xlabel("photographs a second, whole process", fontsize=8)
        panel.tick_params(labelsize=8)
        panel.margins(x=0.15)
        panel.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, dpi=120, metadata={"Software": None})
    plt.close(figure)


def main() -> None:
    results, page = Path(sys.argv[1]), Path(sys.argv[2])
    reports = [json.loads(path.read_text("utf-8")) for path in sorted(results.glob("files_to_labels-*.json"))]
    text = HEAD
    if reports:
        picture = page.with_suffix(".png")
        draw(reports, picture)
        text += FILES
        text += f"\n![Photographs a second of each contender]({picture.name})\n\n"
        text += "\n".join(files_table(report) for report in reports)
    same = [json.loads(path.read_text("utf-8")) for path in sorted(results.glob("same_answers-*.json"))]
    if same:
        text += f"\n{SAME}" + "\n".join(same_table(report) for report in same)
    alone = results / "model_alone.json"
    if alone.exists():
        text += f"\n{ALONE}{markdown(json.loads(alone.read_text('utf-8')))}"
    page.write_text(text.rstrip() + "\n", "utf-8")


if __name__ == "__main__":
    main()
