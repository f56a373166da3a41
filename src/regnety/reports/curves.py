"""Curves of a training run, from the rows of its metrics.jsonl."""

from collections.abc import Mapping, Sequence
from typing import Any

from regnety.reports.content import Curve

GROUPS = (("Loss", "_loss", "cross-entropy"), ("Accuracy", "_top1", "top1 in percent"))
"""Title, how the columns end, and the unit: what is measured of several splits stands in one picture."""
SINGLE = (("Learning rate", "lr", ""),)


def training_curves(history: Sequence[Mapping[str, Any]], *, best_epoch: float | None = None) -> tuple[Curve, ...]:
    """Pictures of the rows that a training run writes, one row an epoch: `train_loss`, `val_loss`, `val_top1`, `lr`.

    Args:
        history: rows with `epoch`; columns that are missing, in all rows or in some, are left out.
        best_epoch: the epoch whose weights were kept.
    """
    if len(history) < 2:  # one point is no curve; its figures stand in the facts
        return ()
    epochs = tuple(float(row["epoch"]) for row in history)
    columns = list(dict.fromkeys(column for row in history for column in row))
    curves = []
    for title, ending, unit in GROUPS:
        found = {column.removesuffix(ending): _series(history, column) for column in columns if column.endswith(ending)}
        curves.append((title, found, unit))
    curves += [(title, {title: _series(history, name)}, unit) for title, name, unit in SINGLE if name in columns]
    return tuple(
        Curve(title=title, x_label="epoch", x=epochs, series=series, y_label=unit, chosen=best_epoch)
        for title, series, unit in curves
        if any(value is not None for values in series.values() for value in values)
    )


def _series(history: Sequence[Mapping[str, Any]], column: str) -> tuple[float | None, ...]:
    return tuple(None if row.get(column) is None else float(row[column]) for row in history)
