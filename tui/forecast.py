"""How much GPU memory a training will take, in words, before anything is loaded."""

from collections.abc import Iterable

from msgspec import Struct

from core import hardware
from core.bases.base import Base
from core.errors import BocetoError
from core.images.buckets import Bucket
from core.language import _
from core.plan import memory
from core.plan.memory import CONTEXT, GIB
from core.settings import Settled


class Forecast(Struct, frozen=True):
    """Whether it will fit, and how."""

    words: str
    fits: bool = True


def free_here() -> int | None:
    """Bytes of the first GPU that nobody uses; None where there is no GPU."""
    found = hardware.gpus()
    return found[0].memory_free if found else None


def forecast(base: Base, plan: Settled, buckets: Iterable[Bucket], drawings: int, free: int | None) -> Forecast | None:
    """What a training on `drawings` in these `buckets` will take of `free` bytes; None for a base of unknown build."""
    if not memory.known(base):
        return None
    pixels = max(bucket.width * bucket.height for bucket in buckets) // base.vae_factor**2
    images = plan.batch_size + plan.prior_pictures
    texts = drawings * (min(plan.tag_orders, plan.repeats * plan.epochs) if plan.shuffle_tags else 1)
    if free is None:
        whole = memory.needed(plan, images, pixels, texts, memory.NONE).peak + CONTEXT
        least = memory.least(plan, images, pixels, texts) + CONTEXT
        return Forecast(
            _("{whole:.0f} GB of GPU memory, or slower from {least:.0f} GB; there is no GPU here").format(
                whole=whole / GIB, least=least / GIB
            ),
            False,
        )
    given = min(free, plan.memory * GIB if plan.memory else free)
    try:
        measures, why = memory.fitting(plan, images, pixels, texts, int(given) - CONTEXT)
    except BocetoError as error:
        return Forecast(error.title, False)
    peak = memory.needed(plan, images, pixels, texts, measures).peak + CONTEXT
    words = _("about {peak:.1f} of {given:.1f} GB of GPU memory").format(peak=peak / GIB, given=given / GIB)
    how = ", ".join(one.value if one.field != "nf4" else _("base in 4 bits") for one in why)
    return Forecast(f"{words} ({how})" if how else words)
