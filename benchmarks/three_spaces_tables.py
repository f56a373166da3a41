"""The sections of the page on the study of three spaces that are figures: tables, and sentences that follow them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from three_spaces_figures import (
    ORDER,
    Comparison,
    Sample,
    mean_of,
    noise_of,
    smallest_found,
    with_and_without,
)

from regnety.designspace.comparisons import Estimate, best_of, rank_correlation
from regnety.text import counted

Row = dict[str, Any]
TITLES = {"anynetx_a": "AnyNetX_A", "regnetx": "RegNetX", "regnety": "RegNetY"}
FEW = 8
"""Designs of a small random search, beside the whole sample."""


def errors_section(samples: dict[str, Sample]) -> str:
    rows = []
    for name in ORDER:
        errors = samples[name].errors
        few = best_of(errors, FEW)
        least, quarter, median = np.percentile(errors, (0, 25, 50)).tolist()
        rows.append(
            (
                TITLES[name],
                f"{len(errors)}",
                *(f"{value:.1f}" for value in (least, quarter, median)),
                estimate(mean_of(errors)),
                estimate(few),
            )
        )
    head = (
        "top-1 error in percent",
        "designs",
        "least",
        "a quarter is below",
        "median",
        "mean",
        f"best of {FEW} at random",
    )
    return (
        "In brackets in the picture: the least error and the mean. The band around a curve holds the distribution that "
        "the designs were drawn from, as a whole, with 95 %.\n\n" + table(head, rows)
    )


def differences_section(comparisons: Sequence[Comparison], samples: dict[str, Sample], rows: Sequence[Row]) -> str:
    rows_of_pairs = table(
        ("", "difference of the means, in points", "p, Kolmogorov-Smirnov", "a random design of the first is better"),
        [
            (
                f"{TITLES[each.better]} less {TITLES[each.worse]}",
                signed(each.difference),
                chance(each.p),
                f"{100 * each.wins:.0f} % of the time",
            )
            for each in comparisons
        ],
    )
    text = (
        "Intervals are 95 % of the bootstrap over designs. Samples of this size find a difference of "
        f"{smallest_found(samples.values()):.1f} points four times in five.\n\n{rows_of_pairs}"
    )
    paired = with_and_without(rows)
    if paired is not None:
        text += (
            f"\n\nRegNetX and RegNetY share {paired.count} designs, which differ in squeeze-and-excitation alone. It "
            f"changes their error by {signed(paired.difference)} points; it is lower in {paired.lower} of them."
        )
    return text


def noise_section(samples: dict[str, Sample], rows: Sequence[Row]) -> str:
    lines = []
    for name in ORDER:
        found = noise_of([row for row in rows if row["space"] == name])
        if found is None:
            continue
        spread = float(samples[name].errors.std(ddof=1))
        lines.append(
            (
                TITLES[name],
                f"{found.designs}",
                f"{found.deviation:.2f}",
                f"{spread:.2f}",
                f"{100 * min(1.0, found.deviation**2 / spread**2):.0f} %" if spread else "",
            )
        )
    if not lines:
        return "No design has been trained with several seeds."
    return (
        "Deviation of the error of one design from seed to seed, beside that of different designs, in points:\n\n"
        + table(("", "designs", "between seeds", "between designs", "share of seeds in the variance"), lines)
    )


def costs_section(rows: Sequence[Row]) -> str:
    lines = []
    for name in ORDER:
        done = [row for row in rows if row["part"] == "designs" and row["space"] == name and row["status"] == "done"]
        errors = np.array([row["error"] for row in done])
        cells = [TITLES[name]]
        for values, unit in (
            (np.array([row["num_params"] for row in done], float), 1e3),
            (np.array([row["activations"] for row in done], float), 1e3),
            (np.array([sum(row["stage_depths"]) for row in done], float), 1.0),
        ):
            cells.append(f"{np.median(values) / unit:.0f} ({rank_correlation(values, errors):+.2f})")
        lines.append(tuple(cells))
    return (
        "Medians, and in brackets the rank correlation with the error: below 0, more of it goes with less error.\n\n"
        + table(("", "thousand parameters", "thousand activations", "blocks"), lines)
    )


def sweep_section(rows: Sequence[Row], facts: dict[str, Any]) -> str:
    swept = [row for row in rows if row["part"] == "sweep"]
    done = [row for row in swept if row["status"] == "done"]
    errors = np.array([row["error"] for row in done])
    rates, decays = (np.array([row[name] for row in done]) for name in ("lr", "weight_decay"))
    rate, decay = facts["chosen"]["optimizer.lr"], facts["chosen"]["optimizer.weight_decay"]
    return (
        f"Before the study, {counted(len(swept), 'training')} of other designs, "
        f"{max(len(row['errors']) for row in done)} epochs each, with values drawn by "
        f"{' and '.join(f'`{law}`' for law in facts['varied'])}; {len(swept) - len(done)} of them failed. "
        f"The geometric mean over the best quarter of each space is a learning rate of {rate:g} and a decay of "
        f"{decay:g}. The rank correlation with the error is {rank_correlation(rates, errors):+.2f} for the learning "
        f"rate, and {rank_correlation(decays, errors):+.2f} for the decay.\n"
    )


def times_section(rows: Sequence[Row], facts: dict[str, Any]) -> str:
    lines = []
    for part, title in (("sweep", "the sweep"), ("designs", "one training of each design"), ("seeds", "other seeds")):
        seconds = [row["seconds"] for row in rows if row["part"] == part]
        if seconds:
            lines.append((title, f"{len(seconds)}", f"{np.median(seconds):.0f}", f"{sum(seconds) / 3600:.2f}"))
    total = sum(row["seconds"] for row in rows) / 3600
    lines.append(("all", f"{len(rows)}", "", f"{total:.2f}"))
    text = table(("", "trainings", "seconds, median", "hours"), lines)
    if facts["at_a_time"] > 1:
        hours = total / facts["at_a_time"]
        text += f"\n\nWith {facts['at_a_time']} trainings at a time, {hours:.1f} hours pass."
    return text + (
        "\n\nThe study is made again by\n\n    python benchmarks/three_spaces.py cifar10.zip runs/three-spaces\n\nin "
        "several sittings if need be: `--minutes 30` ends one, and the same command goes on."
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] + ["---:" if len(head) > 2 else "---"] * (len(head) - 1), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def estimate(found: Estimate) -> str:
    return f"{found.value:.1f} ({range_of(found)})"


def range_of(found: Estimate) -> str:
    low, high = sorted((abs(found.low), abs(found.high))) if found.low * found.high > 0 else (found.low, found.high)
    return f"{low:.1f} to {high:.1f}"


def signed(found: Estimate) -> str:
    return f"{found.value:+.1f} ({found.low:+.1f} to {found.high:+.1f})"


def chance(p: float) -> str:
    return "below 0.001" if p < 0.001 else f"{p:.3f}"
