"""The Pareto front: what nothing else beats in everything at once."""

from collections.abc import Sequence


def pareto_front(costs: Sequence[Sequence[float]]) -> list[int]:
    """The positions of the points that no other point beats, by their first cost.

    A point is beaten by one that costs no more in anything and less in something. Of equal points the first stays.

    Args:
        costs: [points][costs], smaller is better.
    """
    order = sorted(range(len(costs)), key=lambda at: (tuple(costs[at]), at))
    front: list[int] = []
    for at in order:  # whatever beats a point comes before it
        if not any(all(own >= other for own, other in zip(costs[at], costs[kept], strict=True)) for kept in front):
            front.append(at)
    return front
