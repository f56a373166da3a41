"""Writes the documentation's page on the study of three spaces from its results.

    python benchmarks/three_spaces_page.py RESULTS PAGE

RESULTS is what `three_spaces.py` wrote; PAGE (Markdown) gets two pictures beside it. What the paper found is text here,
and every figure of the study is computed from RESULTS. The sentences follow the figures: if an order does not show, the
page says that it does not.
"""

import dataclasses
import math
import sys
import tempfile
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from three_spaces_figures import ORDER, PAIRS, Comparison, Sample, compared, samples_of
from three_spaces_results import read_results
from three_spaces_tables import (
    TITLES,
    costs_section,
    differences_section,
    errors_section,
    noise_section,
    range_of,
    signed,
    sweep_section,
    table,
    times_section,
)

from regnety.designspace.pages.chart import Chart
from regnety.designspace.pages.error_charts import edf_chart
from regnety.reports.charts import Axis, Line, axis_around
from regnety.reports.diagrams import STYLES
from regnety.reports.tables import Table

Row = dict[str, Any]
WIDTH = 120
HEAD = """# Three design spaces compared

A design space is good when good networks are common in it. That is a statement on distributions, and can be tested by
drawing networks at random and training each a little ({doc}`../reference/populations`). The paper did so on ImageNet
with many graphics cards; `benchmarks/three_spaces.py` does it on one machine, on a part of CIFAR-10. Its results are in
`benchmarks/results/three_spaces.parquet`, from which `benchmarks/three_spaces_page.py` writes this page.

## What the paper found

Radosavovic et al. ([arXiv:2003.13678](https://arxiv.org/abs/2003.13678)) compare spaces by the error EDF, the share of
networks with an error below e, of 500 networks of 360 to 400 million macs that are trained for ten epochs.

- AnyNetX_A has four free numbers in each stage. One bottleneck multiplier (B) and one group width (C) for all stages
  change little; widths that do not fall (D), and then depths that do not fall (E), make the space better.
- RegNetX, whose widths follow a line, is better than AnyNetX_E, and so better than AnyNetX_A.
- RegNetY, which is RegNetX with squeeze-and-excitation, is better than RegNetX.
- About 32 random designs of RegNetX are enough to find a good one.

"""
LIMITS = """## What this does not say

The pictures are small and few, the networks have a fiftieth of the paper's macs, and ten epochs of so few pictures are
a short training. One learning rate and one decay are used for all spaces, as in the paper. The intervals are about the
designs that were drawn and the seeds of their trainings; they know nothing of other data, sizes or longer training. The
p of the Kolmogorov-Smirnov tests is not corrected for there being three of them.
"""


def main() -> None:
    results, page = Path(sys.argv[1]), Path(sys.argv[2])
    rows, facts = read_results(results)
    samples = samples_of(rows)
    comparisons = [compared(samples[worse], samples[better]) for worse, better in PAIRS]
    sections = [
        HEAD,
        _verdict(comparisons, rows),
        f"## What was trained\n\n{_conditions(rows, facts)}\n",
        f"## Errors\n\n![Error EDFs of the three spaces]({_picture(page, 'edf', _edf(samples))})\n",
        errors_section(samples),
        f"## Differences\n\n{differences_section(comparisons, samples, rows)}\n",
        f"## The noise of training\n\n{noise_section(samples, rows)}\n",
        f"## What else differs at equal macs\n\n{costs_section(rows)}\n",
        f"## Learning rate and decay\n\n{sweep_section(rows, facts)}\n"
        f"![Error by learning rate in the sweep]({_picture(page, 'lr', _rates(rows, facts))})\n",
        f"## What it cost\n\n{times_section(rows, facts)}\n",
        LIMITS,
    ]
    lines = [line for section in sections for line in [*section.strip().splitlines(), ""]]
    page.write_text("\n".join(map(_wrapped, lines)), "utf-8")
    print(f"wrote {page}")


def _wrapped(line: str) -> str:
    """A line of prose, broken where the documentation breaks its lines."""
    if len(line) <= WIDTH or line.startswith(("|", "!", "    ")):
        return line
    indent = "  " if line.startswith("- ") else ""
    return textwrap.fill(line, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _verdict(comparisons: Sequence[Comparison], rows: Sequence[Row]) -> str:
    shown = [each for each in comparisons if each.state == "shows"]
    opposite = [each for each in comparisons if each.state == "opposite"]
    open_ = [each for each in comparisons if each.state == "open"]
    if len(shown) == len(comparisons):
        lines = ["All of the paper's order shows here: RegNetY is better than RegNetX, and RegNetX than AnyNetX_A."]
    elif not shown:
        lines = ["The paper's order does not show here."]
    else:
        lines = [f"A part of the paper's order shows here: {len(shown)} of {len(comparisons)} comparisons."]
    for each in (*shown, *open_, *opposite):
        better, worse, found = TITLES[each.better], TITLES[each.worse], each.difference
        size = f"by {abs(found.value):.1f} points of error ({range_of(found)}, with 95 %)"
        lines.append(
            {
                "shows": f"- {better} is better than {worse} {size}.",
                "opposite": f"- {better} is worse than {worse} {size}.",
                "open": f"- Which of {better} and {worse} is better is not settled: their means differ by "
                f"{signed(found)} points of error, with 95 %.",
            }[each.state]
        )
    return "## What shows here\n\n" + lines[0] + "\n\n" + "\n".join(lines[1:])


def _conditions(rows: Sequence[Row], facts: dict[str, Any]) -> str:
    main_rows = [row for row in rows if row["part"] == "designs"]
    train, val = main_rows[0]["pictures"]
    epochs = max(len(row["errors"]) for row in main_rows)
    low, high = (macs / 1e6 for macs in facts["macs"])
    designs = {name: sum(row["space"] == name for row in main_rows) for name in ORDER}
    repeated = {(row["space"], row["design"]) for row in rows if row["part"] == "seeds"}
    values = ", ".join(f"{field} {value:g}" for field, value in facts["chosen"].items())
    return table(
        ("", ""),
        [
            ("pictures", f"CIFAR-10's training pictures: {train:,} to train on, {val:,} others to measure errors on"),
            ("networks", f"two or three stages, stem stride 1, {low:g} to {high:g} million macs at 32 pixels"),
            ("designs", ", ".join(f"{count} of {TITLES[name]}" for name, count in designs.items())),
            ("repeated", f"{len(repeated)} designs with other seeds"),
            ("recipe", f"`population` with {', '.join(f'`{setting}`' for setting in facts['settings'])}"),
            ("epochs", f"{epochs}"),
            ("failed", f"{sum(row['status'] == 'failed' for row in rows if row['part'] != 'sweep')} trainings"),
            ("from the sweep", values),
            ("draws", "ranges of the paper, seed 0; the same draws for RegNetX and RegNetY"),
            ("computed on", f"{facts['processor']}; one thread a training, {facts['at_a_time']} at a time"),
            ("versions", ", ".join(f"{name} {version}" for name, version in facts["versions"].items())),
        ],
    )


def _edf(samples: dict[str, Sample]) -> Chart:
    return edf_chart([dataclasses.replace(samples[name], name=TITLES[name]) for name in ORDER])


def _rates(rows: Sequence[Row], facts: dict[str, Any]) -> Chart:
    done = [row for row in rows if row["part"] == "sweep" and row["status"] == "done"]
    lines = [
        Line([(row["lr"], row["error"]) for row in done if row["space"] == name], style, dots=True, joined=False)
        for style, name in zip(STYLES, ORDER, strict=False)
    ]
    return Chart(
        key="lr",
        title="The sweep; the line is what was chosen",
        x=Axis("learning rate", *_decades([row["lr"] for row in done]), log=True),
        y=axis_around("top-1 error in percent", [row["error"] for row in done]),
        lines=lines,
        legend=[(style, TITLES[name]) for style, name in zip(STYLES, ORDER, strict=False)],
        marked_x=facts["chosen"]["optimizer.lr"],
        table=Table([], [], ""),
    )


def _decades(values: Sequence[float]) -> tuple[float, float]:
    """The powers of ten around them."""
    return 10.0 ** math.floor(math.log10(min(values))), 10.0 ** math.ceil(math.log10(max(values)))


def _picture(page: Path, key: str, chart: Chart) -> str:
    """Draw a chart beside the page; the name of its file."""
    name = f"{page.stem}-{key}.png"
    with tempfile.TemporaryDirectory() as folder:
        drawn, _ = chart.write(Path(folder))  # and as SVG, which is four times as large
        (page.parent / name).write_bytes(drawn.read_bytes())
    return name


if __name__ == "__main__":
    main()
