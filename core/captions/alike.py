"""Captions that say the same, or nearly: their drawings are learned as one."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from itertools import combinations
from math import ceil

LIKENESS = 0.9
"""Tags in common, of all that stand in either."""
FEWEST = 3
"""Tags. Two drawings of a cat may both be called “cat”."""


def alike(documents: Mapping[str, Collection[str]]) -> Iterator[tuple[str, str, float]]:
    """Each caption that is nearly an earlier one, that one, and how much they share (1 for the same).

    Two sets so alike have two of their rarest few tags in common, so each set is only compared with those that have:
    of the fifty million pairs of 10,000 captions, a few thousand.
    """
    sets = {name: frozenset(tags) for name, tags in documents.items() if len(tags) >= FEWEST}
    frequency = Counter(tag for tags in set(sets.values()) for tag in tags)
    first: dict[frozenset[str], str] = {}
    lookup: dict[tuple[str, ...], list[frozenset[str]]] = defaultdict(list)
    for name, tags in sets.items():
        if (earlier := first.setdefault(tags, name)) != name:
            yield name, earlier, 1.0
            continue
        pairs = [*combinations(_rarest(tags, frequency), 2)]
        close = max((_likeness(tags, other) for other in {one for pair in pairs for one in lookup[pair]}), default=0.0)
        if close >= LIKENESS:
            other = next(one for pair in pairs for one in lookup[pair] if _likeness(tags, one) == close)
            yield name, first[other], close
        for pair in pairs:
            lookup[pair].append(tags)


def _rarest(tags: frozenset[str], frequency: Mapping[str, int]) -> list[str]:
    """So many that two sets alike share two of them; a set that is too small to be alike but not the same has none."""
    if len(tags) < LIKENESS * (len(tags) + 1):
        return []
    spare = len(tags) - ceil(LIKENESS * len(tags) - 1e-9)
    return sorted(tags, key=lambda tag: (frequency[tag], tag))[: spare + 2]


def _likeness(one: frozenset[str], other: frozenset[str]) -> float:
    common = len(one & other)
    return common / (len(one) + len(other) - common)
