"""The tags of a dataset: in how many captions each stands, and what to offer while one is typed."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from functools import cached_property
from typing import Literal

from msgspec import Struct

from core.captions.booru import Booru
from core.captions.caption import is_sentence, tags_of

Source = Literal["own", "implied", "booru"]


class Completion(Struct, frozen=True):
    """A tag that may be what somebody is typing."""

    tag: str
    count: int
    """Captions of this dataset for its own tags, pictures of the gallery for others."""
    source: Source
    via: str = ""
    """The other name that was typed, or the tag of the caption that implies this one."""


class Vocabulary(Struct, frozen=True, dict=True):
    """How many captions bear each tag; a tag counts once a caption, and capitals make no other tag."""

    counts: dict[str, int]
    """By the tag in small letters."""
    spellings: dict[str, str]
    """Each tag as it is written where it is met first."""
    captions: int = 0
    """Captions that hold something, prose included."""

    @classmethod
    def of(cls, captions: Iterable[str]) -> "Vocabulary":
        """The tags of captions that are tags; the commas of prose separate none."""
        counts: Counter[str] = Counter()
        spellings: dict[str, str] = {}
        written = 0
        for caption in captions:
            tags = _tags(caption)
            counts.update(tags.keys())
            for key, tag in tags.items():
                spellings.setdefault(key, tag)
            written += bool(caption.strip())
        return cls(dict(counts), spellings, written)

    def with_changes(self, changes: Iterable[tuple[str, str]]) -> "Vocabulary":
        """The vocabulary after captions have changed, each from one text into another (empty where there is none)."""
        counts, spellings, captions = dict(self.counts), dict(self.spellings), self.captions
        for before, after in changes:
            old, new = _tags(before), _tags(after)
            for key in old.keys() - new.keys():
                counts[key] = counts.get(key, 0) - 1
                if counts[key] <= 0:
                    del counts[key]
                    spellings.pop(key, None)
            for key in new.keys() - old.keys():
                counts[key] = counts.get(key, 0) + 1
                spellings.setdefault(key, new[key])
            captions += bool(after.strip()) - bool(before.strip())
        return Vocabulary(counts, spellings, captions)

    def spelled(self, key: str) -> str:
        """A tag as captions write it."""
        return self.spellings.get(key, key)

    @cached_property
    def ranked(self) -> list[tuple[str, int]]:
        """Every tag in small letters with its count, the most common first, then by the alphabet."""
        return sorted(self.counts.items(), key=lambda item: (-item[1], item[0]))

    def completions(
        self, typed: str, present: Collection[str] = (), booru: Booru | None = None, limit: int = 8
    ) -> list[Completion]:
        """What `typed` may become, the best first and nothing that is `present`.

        Own tags come before those of a gallery, those that begin so before those of which a later word does; what
        the caption's tags imply stands between. Before anything is typed: what is implied, then the most common.
        """
        wanted = " ".join(typed.casefold().split())
        taken = {tag.casefold() for tag in present}
        found: dict[str, Completion] = {}
        for completion in self._offers(wanted, present, booru, limit + len(taken)):
            key = completion.tag.casefold()
            if key not in taken:
                found.setdefault(key, completion)
            if len(found) == limit:
                break
        return list(found.values())

    def _offers(self, typed: str, present: Collection[str], booru: Booru | None, limit: int) -> Iterator[Completion]:
        implied = _implied(typed, present, booru) if booru else []
        if not typed:
            yield from implied
        # People type tags as galleries write them.
        for wanted in dict.fromkeys((typed, typed.replace("_", " "))):
            yield from self._own(wanted)
            if not typed:
                return
            yield from implied
            if booru:
                for hit in (*booru.beginning(wanted, limit), *booru.inside(wanted, limit)):
                    if own := self.counts.get(hit.tag):
                        yield Completion(self.spelled(hit.tag), own, "own", hit.alias)
                    else:
                        yield Completion(hit.tag, hit.count, "booru", hit.alias)

    def _own(self, typed: str) -> Iterator[Completion]:
        later = " " + typed
        inside = []
        for key, count in self.ranked:
            if key.startswith(typed):
                yield Completion(self.spelled(key), count, "own")
            elif later in key:
                inside.append((key, count))
        for key, count in inside:
            yield Completion(self.spelled(key), count, "own")


def _implied(typed: str, present: Collection[str], booru: Booru) -> list[Completion]:
    return [
        Completion(other, booru.count_of(other), "implied", tag)
        for tag in present
        for other in booru.implied(booru.tag_of(tag.casefold()) or tag.casefold())
        if other.startswith(typed) or " " + typed in other
    ]


def _tags(caption: str) -> dict[str, str]:
    """A caption's tags by their small letters, in their order."""
    tags: dict[str, str] = {}
    for tag in tags_of(caption):
        tags.setdefault(tag.casefold(), tag)
    return {} if is_sentence(caption) else tags
