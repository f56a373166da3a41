"""Whether a design that was searched for is better than a published one scaled to the same latency.

    python benchmarks/design_search.py CIFAR10_ZIP FOLDER [--shares 0.5 1] [--seeds 3] [--trials 25]
         [--search-epochs 9] [--epochs 20] [--minutes MINUTES] [--output design_search.json]

CIFAR10_ZIP has train/CLASS/*.jpg and test/; FOLDER gets the pictures, the searches and the runs, and is kept. The
budget is a share of the median latency of `regnety_cifar10` on OpenVINO in f32. The searched design is the one with the
least error of `regnety design search` on a part of CIFAR-10's training pictures. Beside it stand the stages of
regnety_002 with a stem stride of 1, all widths times one factor, for which the latency is within 5 % of the searched
design's. Both are trained by the same recipe on the same pictures with the same seeds; the errors are on the 10,000
test pictures, which no search has seen. Every step is kept: started again, the script goes on. With --minutes it ends
after the step in which they are over.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from scipy.stats import ttest_ind
from stored_parts import StoredParts
from three_spaces import SETTINGS
from three_spaces_pictures import write_part

from regnety import complexity, train
from regnety.architecture.design import AnyNetDesign
from regnety.architecture.notation import design_from_dict
from regnety.catalog.models import model_info
from regnety.designspace.search.design_timer import DesignTimer
from regnety.designspace.search.searching import search_designs
from regnety.inference.latency.timed_models import timed_model
from regnety.inference.latency.timing import Timing
from regnety.training.recipes.named_recipes import load_recipe
from regnety.training.recipes.recipe import with_settings
from regnety.training.run_folder import has_begun

ENGINE, PRECISION = "openvino", "f32"
IMAGE_SIZE, NUM_CLASSES = 32, 10
WITHIN = 0.05
"""How near the latencies of both must be."""
FACTORS = (0.1, 4.0)
"""Of the widths of regnety_002."""
STEPS = 14
"""Halvings of that range."""
DESIGNS = {"searched": "searched for", "scaled": "regnety_002, widths scaled"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path, metavar="CIFAR10_ZIP")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--shares", type=float, nargs="+", default=[0.5, 1.0], help="of the latency of the model")
    parser.add_argument("--seeds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--train", type=int, default=1000, help="pictures of a class (default: %(default)s)")
    parser.add_argument("--val", type=int, default=200, help="of a class, that choose (default: %(default)s)")
    parser.add_argument("--trials", type=int, default=25, help="candidates of a search (default: %(default)s)")
    parser.add_argument("--search-epochs", type=int, default=9, help="of its recipe (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=20, help="of the comparison (default: %(default)s)")
    parser.add_argument("--minutes", type=float, help="end after the step in which they are over")
    parser.add_argument("--output", type=Path, default=Path("design_search.json"), help="default: %(default)s")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    asked = ("train", "val", "trials", "search_epochs", "epochs")
    parts = StoredParts(options.output, {name: getattr(options, name) for name in asked})
    until = None if options.minutes is None else time.monotonic() + 60 * options.minutes
    data = write_part(options.archive, options.folder, train=options.train, val=options.val, with_test=True)
    parts.part("latency", model_latency)
    for share in options.shares:
        for title, measure in steps_of_share(parts, share, data, options):
            if until is not None and time.monotonic() > until:
                sys.exit("the minutes are over; the same command goes on")
            parts.part(title, measure)
    print(markdown(parts.measured, options.shares))


def steps_of_share(
    parts: StoredParts, share: float, data: Path, options: argparse.Namespace
) -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
    """A search, the scaled design, and the trainings of both in turns."""
    folder, key = options.folder / f"share-{share:g}", f"{share:g}"
    budget_ms = share * parts.measured["latency"]["latency_ms"]
    yield f"{key}/searched", lambda: searched(data, folder / "search", budget_ms, options)
    yield f"{key}/scaled", lambda: scaled(parts.measured[f"{key}/searched"]["latency_ms"])
    for seed in range(options.seeds):
        for name in DESIGNS:
            design = parts.measured[f"{key}/{name}"]["design"]
            place = folder / f"{name}-{seed}"
            yield f"{key}/{name}/seed {seed}", partial(trained, design, data, place, options.epochs, seed)


def model_latency() -> dict[str, Any]:
    """Of regnety_cifar10, one picture at a time."""
    with Timing(timed_model("regnety_cifar10"), fresh=True) as timing:
        row = timing.row(ENGINE, PRECISION, batch_size=1)
    design = model_info("regnety_cifar10").design
    return {"latency_ms": row.latency_p50_ms, "macs": complexity(design.architecture(NUM_CLASSES), IMAGE_SIZE).macs}


def searched(data: Path, folder: Path, latency_ms: float, options: argparse.Namespace) -> dict[str, Any]:
    """The design with the least error on the photographs that were held out."""
    began = time.monotonic()
    result = search_designs(
        data,
        folder,
        latency_ms=latency_ms,
        engine=ENGINE,
        precision=PRECISION,
        trials=options.trials,
        settings=(*SETTINGS, f"epochs={options.search_epochs}"),
        winners=0,
        resume=True,
    )
    best = result.front[0]
    found, measured = result.record.candidates, result.candidate(best).measured
    return {
        "design": best.design.as_dict(),
        "latency_ms": measured.latency_ms,
        "budget_ms": latency_ms,
        "macs": best.complexity.macs,
        "num_params": best.complexity.num_params,
        "error": best.error,
        "measured_designs": found.measured,
        "trials": len(found.found),
        "seconds": round(time.monotonic() - began, 1),
    }


def scaled(latency_ms: float) -> dict[str, Any]:
    """The stages of regnety_002, a stem stride of 1, and the factor on all widths that gives the latency."""
    timer = DesignTimer(image_size=IMAGE_SIZE, num_classes=NUM_CLASSES, engine=ENGINE, precision=PRECISION)
    low, high = FACTORS
    tried: dict[tuple[int, ...], tuple[float, float]] = {}
    for _ in range(STEPS):
        factor = (low * high) ** 0.5
        design = widened(factor)
        widths = tuple(stage.width for stage in design.stages)
        if widths not in tried:
            tried[widths] = (timer.measure(design, name=f"x {factor:.3f}").latency_ms, factor)
        low, high = (factor, high) if tried[widths][0] < latency_ms else (low, factor)
    found_ms, factor = min(tried.values(), key=lambda found: abs(found[0] - latency_ms))
    if abs(found_ms / latency_ms - 1) > WITHIN:
        raise SystemExit(f"no factor gives {latency_ms:.3f} ms within {WITHIN:.0%}; the nearest gives {found_ms:.3f}")
    design = widened(factor)
    counts = complexity(design.architecture(NUM_CLASSES), IMAGE_SIZE)
    return {
        "design": design.as_dict(),
        "latency_ms": found_ms,
        "factor": round(factor, 4),
        "macs": counts.macs,
        "num_params": counts.num_params,
    }


def widened(factor: float) -> AnyNetDesign:
    """regnety_002 with all widths times a factor, in whole groups."""
    design = model_info("regnety_002").design
    group = design.group_width
    stages = tuple(
        replace(stage, width=max(group, group * round(factor * stage.width / group)), group_width=group)
        for stage in design.fitted_stages()
    )
    return AnyNetDesign(stages=stages, se_ratio=design.se_ratio, stem_width=design.stem_width, stem_stride=1)


def trained(design: dict[str, Any], data: Path, place: Path, epochs: int, seed: int) -> dict[str, Any]:
    """A training from random weights on everything but the test pictures, which it is measured on at the end."""
    settings = (*SETTINGS, f"epochs={epochs}", f"seed={seed}")
    recipe = with_settings(replace(load_recipe("population"), design=design_from_dict(design)), settings)
    result = train(data, place, recipe, resume=has_begun(place), quiet=True)
    return {"test_top1": result.test_top1, "val_top1": result.val_top1, "minutes": result.minutes}


def markdown(measured: dict[str, Any], shares: list[float]) -> str:
    """A row for each share and design, and a sentence for each share on which is better."""
    lines = ["| budget | design | ms | million macs | million parameters | test error |", "| --- |" + " --- |" * 5]
    for share in shares:
        for name in DESIGNS:
            facts = measured[f"{share:g}/{name}"]
            found = errors_of(measured, share, name)
            spread = f" ± {statistics.stdev(found):.2f} ({len(found)})" if len(found) > 1 else ""
            lines.append(
                f"| {share:g} | {DESIGNS[name]} | {facts['latency_ms']:.3f} | {facts['macs'] / 1e6:.1f} "
                f"| {facts['num_params'] / 1e6:.2f} | {statistics.mean(found):.2f}{spread} |"
            )
    sentences = [sentence for share in shares if (sentence := verdict(measured, share))]
    return "\n".join([*lines, "", *sentences])


def errors_of(measured: dict[str, Any], share: float, name: str) -> list[float]:
    """Test errors of a design with all seeds, in percent."""
    return [100 - part["test_top1"] for title, part in measured.items() if title.startswith(f"{share:g}/{name}/")]


def verdict(measured: dict[str, Any], share: float) -> str:
    """Which of the two has the smaller error, by Welch's interval of 95 %; nothing where there is one seed."""
    searched, scaled = (errors_of(measured, share, name) for name in DESIGNS)
    if min(len(searched), len(scaled)) < 2:
        return ""
    difference = statistics.mean(searched) - statistics.mean(scaled)
    interval = ttest_ind(searched, scaled, equal_var=False).confidence_interval(0.95)
    sides = "better" if interval.high < 0 else "worse" if interval.low > 0 else "neither better nor worse for certain"
    return (
        f"At {share:g} of the latency the design that was searched for is {sides}: its error is {difference:+.2f} "
        f"points from the other's, with 95 % between {interval.low:+.2f} and {interval.high:+.2f}."
    )


if __name__ == "__main__":
    main()
