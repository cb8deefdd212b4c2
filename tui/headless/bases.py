"""`boceto bases`: which bases are on this disk, which can be fetched, and fetching one."""

import sys
from argparse import Namespace
from pathlib import Path

import msgspec

from core.bases import fetch, find
from core.bases.catalog import place_of, prompting
from core.bases.offer import Offer, offers
from core.errors import BocetoError
from core.language import _
from core.runs import events
from tui.headless.progress import status_of, watch
from tui.words import plain, size

INTERRUPTED = 130


def bases(options: Namespace) -> int:
    """List them, or fetch one."""
    if options.fetch:
        return _fetch(options.fetch, options.json)
    for offer in offers(Path(path) for path in options.places):
        if options.json:
            sys.stdout.write(msgspec.json.encode(_record(offer)).decode() + "\n")
        else:
            print(*map(plain, _lines(offer)), sep="\n")
    return 0


def _fetch(wanted: str, json: bool) -> int:
    known = fetch.wanted(wanted)
    order = fetch.order(known)
    try:
        here = find.resolve(known.id)
    except BocetoError:
        if not json:
            print(plain(_("{name} is fetched from {page}.").format(name=known.name, page=order.page)))
        last = watch(fetch.begun(known), json)
        if not isinstance(last, events.Finished):
            return status_of(last) or INTERRUPTED
        here = find.resolve(known.id)
    if not json:
        print(plain(_("“{name}” is here: {place}").format(name=here.name, place=place_of(here))))
        print(plain(_("Train on it with --base {id}.").format(id=here.id)))
    return 0


def _lines(offer: Offer) -> list[str]:
    facts = [size(offer.bytes)] if offer.bytes else []
    if offer.entry:
        facts.append(offer.entry.licence)
    if offer.predicts_velocity:
        facts.append(_("predicts velocity"))
    mark = "✓" if offer.base else "+" if offer.can_be_fetched else "✗"
    named = offer.name if offer.id in (offer.name, str(offer.path)) else f"{offer.id}: {offer.name}"
    lines = [f"{mark} " + " · ".join((named, *facts))]
    if offer.base:
        lines.append(f"  {place_of(offer.base)}")
    elif offer.trouble:
        lines += [f"  {offer.path}", f"  {offer.trouble}"]
    if offer.entry:
        about = (offer.entry.good_for(), prompting(offer.entry), offer.entry.suits)
        lines += [f"  {words}" for words in about if words]
    if offer.can_be_fetched:
        lines.append("  " + _("Fetch it with: boceto bases --fetch {id}").format(id=offer.id))
    return lines


def _record(offer: Offer) -> dict[str, object]:
    known = offer.base or offer.entry
    return {
        "id": offer.id,
        "name": offer.name,
        "state": "here" if offer.base else "fetchable" if offer.can_be_fetched else "unusable",
        "path": str(offer.path) if offer.path else None,
        "single_file": bool(offer.base.like) if offer.base else None,
        "native": offer.base.native if offer.base else None,
        "bytes": offer.bytes or None,
        "prediction": known.prediction if known else None,
        "zero_terminal_snr": known.zero_terminal_snr if known else None,
        "repository": offer.entry.source if offer.entry and isinstance(offer.entry.source, str) else None,
        "licence": offer.entry.licence if offer.entry else None,
        "family": offer.entry.family or None if offer.entry else None,
        "good_for": offer.entry.good_for() if offer.entry else None,
        "prompting": prompting(offer.entry) or None if offer.entry else None,
        "suits": offer.entry.suits or None if offer.entry else None,
        "reason": offer.trouble or None,
    }
