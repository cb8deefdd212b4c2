"""Make a small base from nothing; `--help` says how."""

import argparse
import logging
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from typing import Any

import msgspec

from core.bases.mini.making import art, command, drawings
from core.bases.mini.making.art import Art
from core.errors import BocetoError
from core.files import write_bytes
from core.language import _
from core.paths import cache

log = logging.getLogger("core.bases.mini.making")

_AUTOENCODERS_SHARE = 0.2
"""Of `--minutes`: the shipped base took 9 minutes of about 43 for it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the making as the command line asks; give the exit status."""
    options = _options(arguments)
    with command.heard(log):
        try:
            command.refuse_full(options.out, _("A base is never written over another."))
            found = art.listed(art.fetch(options.work))
            with command.becoming(options.out) as unfinished:
                written = drawings.write(found, unfinished / "drawings")
                shutil.copyfile(Path(__file__).parents[1] / "LICENSES.md", unfinished / "LICENSES.md")
                log.info(_("{count} outline drawings with captions are written.").format(count=len(written)))
                if not options.drawings_only:
                    _make(options, found, unfinished)
            log.info(_("All of it is in {folder}.").format(folder=options.out))
        except BocetoError as error:
            log.error(error)
            return 1
    return 0


def _make(options: argparse.Namespace, found: list[Art], folder: Path) -> None:
    import diffusers
    import torch
    import transformers

    from core.bases.mini.making import assemble, autoencoder, drawer, sheet, words
    from core.bases.mini.making.pace import Pace

    for library in (diffusers, transformers):  # their bars and hints would stand between our lines
        library.utils.logging.set_verbosity_error()
        library.utils.logging.disable_progress_bar()
    device = torch.device(options.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    batch = options.batch or (256 if device.type == "cuda" else 32)
    seconds = options.minutes * 60
    report: dict[str, Any] = {"device": device.type, "seed": options.seed, "styles": options.styles}

    pictures = art.pixels(found, options.work)
    learnt = [index for index, one in enumerate(found) if not autoencoder.held_out(one.concept)]
    unseen = [index for index, one in enumerate(found) if autoencoder.held_out(one.concept)]
    began = monotonic()
    vae = autoencoder.new(options.seed)
    pace = Pace(options.steps_vae, seconds * _AUTOENCODERS_SHARE)
    losses = autoencoder.train(vae, pictures[learnt], pace, seed=options.seed, device=device, batch=max(1, batch // 2))
    taken = monotonic() - began
    psnr = autoencoder.fidelity(vae, [found[index] for index in unseen], pictures[unseen], device)
    report["autoencoder"] = command.progress(losses, taken) | {"pictures": len(learnt), "psnr_held_out": psnr}
    log.info(_("The autoencoder is done: PSNR on held-out drawings {psnr}.").format(psnr=psnr))

    names = art.concepts(found, options.styles, options.concepts, (*art.SHOWN, *drawings.NAMES), options.seed)
    taught = [i for i, one in enumerate(found) if one.concept in names and one.style in options.styles]
    # Statistics of what the drawer will see, not of everything: it is there that they must be 0 and 1.
    autoencoder.folded(vae, autoencoder.latents(vae, pictures[taught], device))
    latents = autoencoder.latents(vae, pictures[taught], device) * autoencoder.SCALING

    began = monotonic()
    tokenizers = words.tokenizers(f"{one.concept}, {one.style}" for one in found if one.style != art.OUTLINE)
    drawn = drawer.new(len(tokenizers[0]), options.seed, device)
    named = [(found[index].concept, found[index].style) for index in taught]
    pace = Pace(options.steps_unet, seconds * (1 - _AUTOENCODERS_SHARE))
    losses = drawer.train(drawn, tokenizers, latents, named, pace, seed=options.seed, batch=batch)
    report["drawer"] = command.progress(losses, monotonic() - began) | {"pictures": len(taught), "concepts": names}

    base = assemble.pipeline(vae, drawn, tokenizers)
    shown = names[: len(art.SHOWN)]
    sheet.save(base, shown, options.styles, options.seed, folder / "samples.png")
    report["bytes"] = assemble.save(base, folder / "model")
    write_bytes(folder / "making.json", msgspec.json.format(msgspec.json.encode(report)) + b"\n")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m core.bases.mini.making", description=_("Make a small base from nothing.")
    )
    parser.add_argument("--out", type=Path, required=True, help=_("a new folder for what is made"))
    parser.add_argument(
        "--work", type=Path, default=cache() / "making", help=_("where the fetched art is kept (default: %(default)s)")
    )
    parser.add_argument("--drawings-only", action="store_true", help=_("write the outline drawings and stop"))
    parser.add_argument(
        "--concepts", type=command.positive, default=158, help=_("how many things to teach (default: %(default)s)")
    )
    parser.add_argument(
        "--styles", nargs="+", choices=art.STYLES[:-1], default=["flat", "openmoji"], help=_("in which styles")
    )
    parser.add_argument(
        "--steps-vae", type=command.positive, default=1500, help=_("of the autoencoder (default: %(default)s)")
    )
    parser.add_argument(
        "--steps-unet", type=command.positive, default=6000, help=_("of the drawer (default: %(default)s)")
    )
    parser.add_argument(
        "--minutes",
        type=command.minutes,
        default=float("inf"),
        help=_("end the training in time, at the cost that it cannot be repeated exactly"),
    )
    parser.add_argument("--batch", type=command.positive, help=_("pictures a step (default: 32, on CUDA 256)"))
    parser.add_argument("--device", choices=["cpu", "cuda"], help=_("where to train (default: CUDA if there is one)"))
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
