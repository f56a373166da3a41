"""The report on a search as one HTML file that loads nothing."""

from pathlib import Path
from typing import Any

from regnety.designspace.pages.chart import Chart
from regnety.designspace.pages.error_charts import PERCENT, curve_chart
from regnety.designspace.pages.network_charts import MILLION, width_chart
from regnety.designspace.populations import TrialResult
from regnety.designspace.search.budget import Measured
from regnety.designspace.search.result import SearchResult, Winner
from regnety.reports.charts import Line, axis_around, shown_number
from regnety.reports.rendering import rendered
from regnety.reports.tables import DASH, Cell, Column, Table, number_cell, percent_cell
from regnety.reports.verdict import KeyFigure
from regnety.storage.replacing import replacing
from regnety.text import counted

MILLISECONDS = "milliseconds"


def write_search_report(path: str | Path, result: SearchResult) -> Path:
    """Write the report: the best, the front, and every candidate.

    Args:
        path: of the HTML file; an old one is replaced once the new one is whole.
        result: the search.

    Raises:
        MissingExtraError: jinja2 is not installed.
        OSError: the file cannot be written.
    """
    text = rendered("search.html", _page(result))
    with replacing(path) as beside:
        beside.write_text(text, "utf-8")
    return Path(path)


def _page(result: SearchResult) -> dict[str, Any]:
    return {
        "title": result.folder.resolve().name,
        "kind": "Design search",
        "verdict": _verdict(result),
        "notices": _notices(result),
        "figures": _figures(result),
        "winners": _winners(result) if result.winners else None,
        "networks": [width_chart(winner.result).diagram() for winner in result.winners],
        "front": [front_chart(result).diagram(), latency_chart(result).diagram()],
        "curves": [curve_chart(result.population).diagram()],
        "candidates": _candidates(result),
        "num_candidates": len(result.population),
        "facts": _facts(result),
    }


def _verdict(result: SearchResult) -> str:
    if not result.winners:
        best = result.front[0]
        return (
            f"Trial {best.trial.number} has the least error, {best.error:.1f} % after "
            f"{counted(len(best.rows), 'epoch')}, and takes {_takes(result.candidate(best).measured)}."
        )
    winner = _best(result)
    top1, which = _top1(winner), "test" if winner.run.test_top1 is not None else "held-out"
    known = "" if top1 is None else f"is right about {top1:.1f} % of the {which} photographs and "
    return f"Trial {winner.result.trial.number} {known}takes {_takes(winner.candidate.measured)}."


def _best(result: SearchResult) -> Winner:
    """The best of the winners, of which there is one at least, by the photographs that choose: never by test."""
    return max(result.winners, key=lambda winner: winner.run.val_top1 or 0.0)


def _top1(winner: Winner) -> float | None:
    return winner.run.val_top1 if winner.run.test_top1 is None else winner.run.test_top1


def _takes(measured: Measured) -> str:
    return f"{measured.latency_ms:.3g} ms a picture with {measured.engine} in {measured.precision}"


def _notices(result: SearchResult) -> list[str]:
    counts, found = result.population.counts(), result.record.candidates
    notices = list(result.failures)
    epochs = max(len(each.rows) for each in result.population.finished)
    if epochs < result.population.plan.recipe.epochs:
        notices.append(
            f"No candidate was trained to the end: they are compared as they were after {counted(epochs, 'epoch')}."
        )
    if len(found.found) < result.record.asked["trials"]:
        notices.append(
            f"{len(found.found)} of {result.record.asked['trials']} candidates were found among "
            f"{counted(found.measured, 'measured design')}."
        )
    if found.not_run:
        notices.append(f"{counted(found.not_run, 'design')} could not be run on this engine.")
    if counts["failed"]:
        notices.append(f"{counted(counts['failed'], 'trial')} failed and are in no figure; the table says why.")
    return notices


def _figures(result: SearchResult) -> list[KeyFigure]:
    figures = []
    best = result.candidate(result.front[0]).measured
    if result.winners:
        winner = _best(result)
        top1, best = _top1(winner), winner.candidate.measured
        which = "test photographs" if winner.run.test_top1 is not None else "held-out photographs"
        figures.append(KeyFigure("accuracy", DASH if top1 is None else f"{top1:.1f} %", which))
    memory = DASH if best.memory_mib is None else f"{best.memory_mib:.0f} MiB"
    seconds = sum(each.seconds for each in result.population)
    found = result.record.candidates
    return [
        *figures,
        KeyFigure("latency", f"{best.latency_ms:.3g} ms", f"99 % within {best.latency_p99_ms:.3g} ms"),
        KeyFigure("memory", memory, "of the process"),
        KeyFigure("candidates", f"{len(found.found):,}", f"of {found.measured:,} measured designs"),
        KeyFigure("trials", f"{seconds / 60:.0f} min", f"{len(result.front)} on the front"),
    ]


def _winners(result: SearchResult) -> Table:
    columns = [
        Column("bundle", is_name=True),
        Column("trial", True),
        Column("test", True, "accuracy on the test photographs"),
        Column("held out", True, "accuracy on the photographs that chose the epoch"),
        Column("ms", True, "median of a picture"),
        Column("MiB", True, "peak memory of a process that loads and runs it"),
        Column("million macs", True),
        Column("million parameters", True),
        Column("minutes", True, "of the full training"),
        Column("nearest published", is_name=True),
        Column("distance", True, "mean factor between the two, as a power of two"),
        Column("its ms", True, "with the same pictures and classes"),
    ]
    rows = []
    for winner in result.winners:
        measured, counts, other = winner.candidate.measured, winner.candidate.complexity, winner.neighbour_measured
        rows.append(
            [
                Cell(f"{winner.place}/bundle"),
                Cell(str(winner.result.trial.number), winner.result.trial.number),
                percent_cell(winner.run.test_top1),
                percent_cell(winner.run.val_top1),
                _digits(measured.latency_ms),
                number_cell(measured.memory_mib, 0),
                _digits(counts.macs / MILLION),
                _digits(counts.num_params / MILLION),
                number_cell(winner.run.minutes, 1),
                Cell(winner.neighbour.model),
                number_cell(winner.neighbour.distance, 2),
                number_cell(None) if other is None else _digits(other.latency_ms),
            ]
        )
    return Table(columns, rows, "The best, trained in full")


def front_chart(result: SearchResult) -> Chart:
    """Error against latency; the front is joined."""
    finished = [each for each in result.population if each.status == "done"]
    stopped = [each for each in result.population if each.status == "stopped"]
    places = {
        each.trial.number: (result.candidate(each).measured.latency_ms, each.error) for each in [*finished, *stopped]
    }
    front = sorted(result.front, key=lambda each: places[each.trial.number])
    lines = [
        Line([places[each.trial.number] for each in stopped], "o small", dots=True, joined=False),
        Line([places[each.trial.number] for each in finished], "a", dots=True, joined=False),
        Line([places[each.trial.number] for each in front], "a", dots=True),
    ]
    most = result.budget.most_ms
    ordered = sorted(front, key=lambda each: each.error)
    return Chart(
        key="front",
        title="Error and latency",
        x=axis_around(MILLISECONDS, [*(x for x, _ in places.values()), *(() if most is None else (most,))]),
        y=axis_around(PERCENT, [y for _, y in places.values()]),
        lines=lines,
        legend=[
            ("a", "trained to the end, the front joined"),
            *([("o", "stopped after fewer epochs")] if stopped else []),
        ],
        marked_x=most,
        text="Nothing else that was trained as long is better in error, latency and memory than a network of the front."
        + (" The vertical line is the budget." if most is not None else ""),
        table=_front_table(result, ordered),
    )


def _front_table(result: SearchResult, front: list[TrialResult]) -> Table:
    columns = [Column("trial", True), Column("error", True), Column("ms", True), Column("MiB", True)]
    rows = []
    for each in front:
        measured = result.candidate(each).measured
        rows.append(
            [
                Cell(str(each.trial.number), each.trial.number),
                number_cell(each.error, 2),
                _digits(measured.latency_ms),
                number_cell(measured.memory_mib, 0),
            ]
        )
    return Table(columns, rows, "The front of error, latency and memory")


def latency_chart(result: SearchResult) -> Chart:
    """Latency of every candidate against its multiply-adds."""
    candidates = sorted(result.record.candidates.found, key=lambda each: each.complexity.macs)
    points = [(each.complexity.macs / MILLION, each.measured.latency_ms) for each in candidates]
    return Chart(
        key="latency_by_macs",
        title="Latency and multiply-adds",
        x=axis_around("million macs", [x for x, _ in points]),
        y=axis_around(MILLISECONDS, [0.0, *(y for _, y in points)]),
        lines=[Line(points, "a small", dots=True, joined=False)],
        text="Candidates with their multiply-adds, and what they take on this machine.",
        table=Table(
            [Column("draw", True), Column("million macs", True), Column("ms", True), Column("ms a million macs", True)],
            [
                [Cell(str(each.draw), each.draw), _digits(x), _digits(y), _digits(y / x)]
                for each, (x, y) in zip(candidates, points, strict=True)
            ],
            "Latency of the candidates",
        ),
    )


def _candidates(result: SearchResult) -> Table:
    columns = [
        Column("trial", True),
        Column("error", True, "in percent, after its last epoch"),
        Column("epochs", True),
        Column("ms", True, "median of a picture"),
        Column("99 %", True, "milliseconds within which 99 % of the pictures are done"),
        Column("MiB", True, "peak memory of a process that loads and runs it"),
        Column("million macs", True),
        Column("million parameters", True),
        Column("widths"),
        Column("blocks"),
        Column("engine"),
        Column("state", is_name=True),
    ]
    front = {each.trial.number for each in result.front}
    rows = []
    for each in sorted(
        result.population, key=lambda each: (-len(each.rows), each.trial.number not in front, each.error)
    ):
        candidate, stages = result.candidate(each), each.design.fitted_stages()
        measured, counts = candidate.measured, candidate.complexity
        state = each.status if each.message is None or each.status == "done" else f"{each.status}: {each.message}"
        rows.append(
            [
                Cell(str(each.trial.number), each.trial.number),
                number_cell(each.error, 2),
                Cell(str(len(each.rows)), len(each.rows)),
                _digits(measured.latency_ms),
                _digits(measured.latency_p99_ms),
                number_cell(measured.memory_mib, 0),
                _digits(counts.macs / MILLION),
                _digits(counts.num_params / MILLION),
                Cell("-".join(str(stage.width) for stage in stages)),
                Cell("-".join(str(stage.depth) for stage in stages)),
                Cell(f"{measured.engine} {measured.precision}"),
                Cell("front" if each.trial.number in front else state),
            ]
        )
    return Table(columns, rows, "Candidates")


def _digits(value: float) -> Cell:
    return Cell(shown_number(value), value)


def _facts(result: SearchResult) -> list[tuple[str, str]]:
    asked, found, plan = result.record.asked, result.record.candidates, result.population.plan
    recipe, data = plan.recipe, plan.data
    engines = sorted({f"{each.measured.engine} {each.measured.engine_version}" for each in found.found})
    low, high = (shown_number(limit / MILLION) for limit in found.macs)
    final = asked["final_recipe"]
    return [
        ("budget", result.budget.in_words()),
        ("measured on", f"{result.record.processor or 'an unknown processor'}, {', '.join(engines)}"),
        ("threads of a prediction", "one per core" if asked["threads"] is None else str(asked["threads"])),
        ("space", f"{asked['space']['name']}, {low} to {high} million macs, seed {asked['seed']}"),
        (
            "measured",
            f"{found.measured:,} designs: {found.too_slow:,} over the budget, {found.too_fast:,} that use too little",
        ),
        ("data", f"{data.name}: {data.train:,} photographs of {data.classes} classes, {data.val:,} for the errors"),
        (
            "few epochs",
            f"recipe {recipe.name}, {counted(recipe.epochs, 'epoch')} at {recipe.image_size} pixels, "
            + (f"the best {plan.keep_best} of a rung goes on" if plan.keep_best else "all to the end"),
        ),
        ("in full", f"recipe {final['name']}, {counted(final['epochs'], 'epoch')}"),
    ]
