"""Fetching a base of the catalog: what is asked for, and the job that does it."""

from pathlib import Path

from core import paths
from core.bases.catalog import CATALOG, Entry, entry
from core.bases.places import hub
from core.errors import BocetoError
from core.hub.order import Order
from core.language import _
from core.runs.launch import launch
from core.runs.run import Run


def order(known: Entry) -> Order:
    """What fetches a base into the hub's cache, for `core.hub.job`. Raises BocetoError for one that lies in the box."""
    if isinstance(known.source, Path):
        raise BocetoError(_("“{name}” comes with Boceto: there is nothing to fetch.").format(name=known.name))
    return Order(
        name=known.name, repository=known.source, files=known.files, cache=str(hub()), by_hand=str(known.folder)
    )


def begun(known: Entry) -> Run:
    """Start the job that downloads a base."""
    run = Run.create(paths.cache() / "downloads", order(known))
    launch(run, "core.hub.job")
    return run


def wanted(text: str) -> Entry:
    """The entry that can be fetched under this name or repository. Raises BocetoError."""
    known = entry(text)
    if known is None:
        ids = ", ".join(one.id for one in CATALOG if isinstance(one.source, str))
        raise BocetoError(
            _("No base that can be fetched is called “{text}”.").format(text=text),
            _("These can be fetched: {bases}.").format(bases=ids),
            _("Any other SDXL base can be downloaded by hand and given by its path."),
        )
    return known
