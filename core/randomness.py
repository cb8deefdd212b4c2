"""Every random number follows from (seed, place, purpose): nothing has a state that could be lost."""

import hashlib
from random import Random


def key(seed: int, place: int | str, purpose: str) -> int:
    """A 63-bit number for one purpose at one place, such as (42, step 17, "noise")."""
    digest = hashlib.sha256(f"{seed}/{place}/{purpose}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def source(seed: int, place: int | str, purpose: str) -> Random:
    """A fresh generator for one purpose at one place."""
    return Random(key(seed, place, purpose))
