"""What a reader of a population's page has to know before its figures."""

from collections.abc import Sequence

from regnety.designspace.populations import Population, TrialResult
from regnety.text import counted

FEWEST = 2
"""Trials without which a population has no distribution."""
FEW_DESIGNS = 5
"""Below so many a bootstrap of them is rough."""
OF_A_TRIAL = ("name", "design", "seed")
"""Fields of a recipe that say nothing of how a population was trained."""


def as_it_was(population: Population, in_full: Sequence[TrialResult]) -> str:
    """That a page is on an earlier rung, and what little is known in full."""
    text = (
        f"{population.name}: too few trials are trained in full. This page is on {len(population.finished)} as they "
        f"were {after(population)} of {population.plan.recipe.epochs} epochs."
    )
    for result in in_full:
        text += f" In full, trial {result.trial.number} is wrong on {result.error:.2f} %."
    return text


def after(population: Population) -> str:
    """After how many epochs the trials of a page are shown."""
    epochs = sorted({len(result.rows) for result in population.finished})
    return f"after {epochs[0]}" if len(epochs) == 1 else f"after {epochs[0]} to {epochs[-1]}"


def differences(first: Population, other: Population) -> list[str]:
    """What else than the designs is different in a population that is set beside the first."""
    notices = []
    if first.plan.data.digest != other.plan.data.digest:
        notices.append(f"{other.name} was trained on other photographs than {first.name}: their errors do not compare.")
    one, two = (population.plan.recipe.as_dict() for population in (first, other))
    names = [name for name in one if one[name] != two[name] and name not in OF_A_TRIAL]
    names += ["what is varied"] if first.plan.vary != other.plan.vary else []
    if names:
        notices.append(
            f"{other.name} was trained in another way than {first.name} ({', '.join(names)}): their errors differ by "
            "that too."
        )
    return notices


def few_designs(populations: Sequence[Population]) -> list[str]:
    """Where an interval of a difference says too little, as it is by the designs alone."""
    return [
        f"{population.name} has {counted(designs, 'design')}: the interval and p of its difference "
        + ("are not known." if designs < FEWEST else "are rough.")
        for population in populations
        if (designs := len(population.design_errors.sums)) < FEW_DESIGNS
    ]


def notices_of(population: Population) -> list[str]:
    """What is open, failed, or was stopped early."""
    counts = population.counts()
    notices = []
    if counts["open"]:
        notices.append(f"{population.name} is not finished: {counted(counts['open'], 'trial')} to go.")
    if counts["failed"]:
        notices.append(
            f"{population.name}: {counted(counts['failed'], 'trial')} failed and are in no figure; the table says why."
        )
    if counts["stopped"]:
        notices.append(
            f"{population.name}: {counted(counts['stopped'], 'trial')} were stopped early as others were better. The "
            "figures are of the others alone, which are better than the space as a whole."
        )
    return notices
