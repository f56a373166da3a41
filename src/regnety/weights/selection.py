"""Which RegNet of a file is taken, and what its state dicts are called."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from regnety.architecture.description import Architecture
from regnety.errors import WeightsError
from regnety.files.arrays import MOST_COMPARED, StoredTensor, same_values
from regnety.text import listed
from regnety.weights.matching import match_shapes
from regnety.weights.nesting import StateDict, find_state_dicts, known_rank, role_rank
from regnety.weights.networks import MAX_NETWORKS, MOST_BESIDE, Network, StandsBetween, networks_in, why_none


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """The RegNet of a file."""

    network: Network
    """Its weights."""
    part: str
    """The place of its state dict, such as `state_dict_ema`; empty if it is the whole file."""
    name: str
    """What `--state-dict` calls it: its place, with the prefix of its keys if there are others in that place."""
    others: tuple[str, ...]
    """The names of those that were not taken."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    table: StateDict
    network: Network
    name: str
    siblings: Mapping[str, StoredTensor]

    @property
    def steps(self) -> tuple[str, ...]:
        """All tables and modules around it."""
        return (*self.table.path, *self.network.prefix.split(".")[:-1])

    @property
    def is_called(self) -> set[str]:
        return {self.name, self.table.name, ".".join(self.steps), self.network.prefix.rstrip(".")} - {""}

    def settled(self, source: str, *, is_chosen: bool = False) -> Network:
        if not self.network.beside and not self.siblings:
            return self.network
        from regnety.weights.beside import settle  # imported here: most files hold a network and nothing else

        name = self.name or self.network.prefix.rstrip(".")
        return settle(self.network, source=source, name=name, siblings=self.siblings, is_chosen=is_chosen)


def take_network(content: object, *, source: str, state_dict: str | None = None) -> Taken:
    """Find the RegNet in a file.

    Of several with the same design it takes the best of the training, else averaged weights (a teacher among them),
    else raw ones, as timm does; but not an average that pycls has measured to be no better.

    Args:
        content: the content of the file.
        source: the file, which messages begin with.
        state_dict: the name of the one to take instead.

    Raises:
        WeightsError: there is none, or none of that name; or there are several and nothing says which is meant, or
            something beside it may change its answers.
    """
    candidates = _candidates(content, source)
    if state_dict is not None:
        chosen = _named(candidates, state_dict, source)
        network = chosen.settled(source, is_chosen=True)
        return _taken(chosen, network, [other for other in candidates if other is not chosen])
    if len(candidates) == 1:
        return _taken(candidates[0], candidates[0].settled(source), [])
    return _preferred(candidates, content, source)


def _preferred(candidates: Sequence[_Candidate], content: object, source: str) -> Taken:
    def rank(candidate: _Candidate) -> tuple[int, tuple[int, ...]]:
        return role_rank(candidate.steps, content), known_rank(candidate.table.path)

    ranked = sorted(candidates, key=rank)
    whole: list[tuple[_Candidate, Network | StandsBetween, Architecture | None]] = []
    for candidate in ranked:
        try:
            settled = candidate.settled(source)
            whole.append((candidate, settled, match_shapes(_shapes(settled), source=source).architecture))
        except StandsBetween as error:
            # Kept: if it ranks first, it is refused. Taking the second best instead would give other answers silently.
            whole.append((candidate, error, None))
        except WeightsError:
            continue  # incomplete, as a teacher without its stem; nobody can mean that one
    if not whole:  # the first one raises, and says what it lacks
        return _taken(ranked[0], ranked[0].settled(source), [])
    (first, network_or_error, architecture), *others = whole
    if isinstance(network_or_error, StandsBetween):
        raise network_or_error
    network = network_or_error
    for other, other_network, other_architecture in others:
        if isinstance(other_network, StandsBetween):
            continue
        if other_architecture != architecture or (rank(other) == rank(first) and _differ(network, other_network)):
            names = [candidate.name for candidate, *_ in whole]
            raise WeightsError(
                f"{source}: holds {len(whole)} RegNets, and nothing says which is meant; choose one with "
                f"--state-dict NAME (in Python Bundle.load, state_dict=): {listed(names, most=MAX_NETWORKS)}"
            )
    return _taken(first, network, [candidate for candidate, *_ in others])


def _candidates(content: object, source: str) -> list[_Candidate]:
    tables = find_state_dicts(content, source=source)
    found: list[tuple[StateDict, list[Network]]] = []
    problem = None
    for table in tables:
        try:
            networks = networks_in(table.tensors, source=source)
        except WeightsError as error:  # one damaged table does not spoil the others
            problem = problem or error
        else:
            found.append((table, networks))
        if sum(len(networks) for _, networks in found) > MAX_NETWORKS:
            raise WeightsError(f"{source}: holds more than {MAX_NETWORKS} RegNets; save only one of them")
    candidates = []
    for table, networks in found:
        siblings = _siblings(table, found) if networks and table.path else {}
        for network in networks:
            steps = [*table.path, *(network.prefix.split(".")[:-1] if len(networks) > 1 else ())]
            candidates.append(_Candidate(table, network, ".".join(steps), siblings))
    if not candidates:
        named = next(table for table in tables if any("." in key for key in table.tensors))
        raise problem or WeightsError(f"{source}: {why_none(named.tensors)}")
    return candidates


def _siblings(table: StateDict, found: Sequence[tuple[StateDict, Sequence[Network]]]) -> dict[str, StoredTensor]:
    """Tensors of the tables beside a state dict: some programs save backbone and classifier apart."""
    return {
        f"{other.path[-1]}.{key}": tensor
        for other, networks in found
        if not networks and other.path and other.path[:-1] == table.path[:-1]
        for key, tensor in islice(other.tensors.items(), MOST_BESIDE)
    }


def _named(candidates: Sequence[_Candidate], state_dict: str, source: str) -> _Candidate:
    # First the name that messages show, then any other that fits one alone, like the place without the prefix.
    found = [candidate for candidate in candidates if candidate.name == state_dict]
    found = found or [candidate for candidate in candidates if state_dict in candidate.is_called]
    if len(found) == 1:
        return found[0]
    names = [name for candidate in candidates if (name := candidate.name or candidate.network.prefix.rstrip("."))]
    if not names:
        raise WeightsError(f"{source}: is one state dict, which has no name; omit --state-dict")
    raise WeightsError(
        f"{source}: holds no RegNet named {listed([state_dict])}; it has {listed(names, most=MAX_NETWORKS)}"
    )


def _taken(candidate: _Candidate, network: Network, others: Sequence[_Candidate]) -> Taken:
    return Taken(
        network=replace(network, beside={}),
        part=candidate.table.name,
        name=candidate.name,
        others=tuple(other.name for other in others),
    )


def _shapes(network: Network) -> dict[str, tuple[int, ...]]:
    return {key: tensor.shape for key, tensor in network.tensors.items()}


def _differ(one: Network, other: Network) -> bool:
    """Whether two networks of one design have different weights; some programs save the same ones twice."""
    if sum(math.prod(tensor.shape) for tensor in one.tensors.values()) > MOST_COMPARED:
        return True
    keys = [key for key in one.tensors if not key.endswith(".num_batches_tracked")]
    return not all(key in other.tensors and same_values(one.tensors[key], other.tensors[key]) for key in keys)
