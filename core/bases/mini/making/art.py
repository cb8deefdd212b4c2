"""The open emoji art: where it comes from, which pictures there are, and their pixels."""

import io
import json
import logging
import re
import shutil
import subprocess
import tarfile
import tempfile
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from PIL import Image, ImageOps

from core.errors import BocetoError
from core.files import replacing
from core.language import _

log = logging.getLogger(__name__)

SIDE = 64
"""Pixels a side of what the base draws; a factor of 4 makes 16 × 16 latents of it."""
RENDERED = 256
"""Pixels a side of what resvg draws before it is averaged down: 16 samples a pixel leave no jagged edge to learn."""

STYLES = ("flat", "modern", "openmoji", "twemoji", "outline")
OUTLINE = "outline"
"""OpenMoji's black drawings: the style that a LoRA is to learn, so the drawer itself never sees it."""

SHOWN = (
    *("cat", "house", "airplane", "penguin", "sailboat", "umbrella", "guitar", "fish"),
    *("red apple", "rocket", "pizza", "snowman", "butterfly", "taxi", "automobile", "sunflower", "mushroom", "crown"),
)
"""Concepts that every base knows and that its sheet shows; the demo asks for the first eight."""

_PICTORIAL = ("animals-nature", "food-drink", "travel-places", "objects", "activities")
"""OpenMoji's groups of things one can draw; faces and signs differ by less than 64 pixels can tell."""


class Package(Struct, frozen=True):
    """One npm package of drawings."""

    name: str
    version: str
    folder: str
    """Where its files are kept below the work folder."""

    @property
    def archive(self) -> str:
        """The file name that `npm pack` gives it."""
        return f"{self.name.removeprefix('@').replace('/', '-')}-{self.version}.tgz"


OPENMOJI = Package("openmoji", "17.0.0", "openmoji")
FLUENT = Package("fluentui-emoji", "1.3.0", "fluent")
TWEMOJI = Package("@twemoji/svg", "15.0.0", "twemoji")


class Art(Struct, frozen=True):
    """One drawing of one thing in one style."""

    concept: str
    """What it shows, in plain lower-case words: the part of the caption that names it."""
    style: str
    group: str
    """OpenMoji's group and subgroup, such as `animals-nature/animal-bird`; empty for what OpenMoji does not have."""
    path: Path


def fetch(work: Path) -> Path:
    """Unpack the three packages into `work`, asking npm for those whose archive is not there yet."""
    work.mkdir(parents=True, exist_ok=True)
    for package in (OPENMOJI, FLUENT, TWEMOJI):
        if (work / package.folder).is_dir():
            continue
        archive = work / package.archive
        if not archive.exists():
            log.info(_("npm fetches {name} {version}.").format(name=package.name, version=package.version))
            _pack(package, work)
        with tempfile.TemporaryDirectory(dir=work) as temporary:
            try:
                with tarfile.open(archive) as tar:
                    tar.extractall(temporary, members=_drawings_of(tar), filter="data")
            except (tarfile.TarError, EOFError, OSError) as error:
                raise BocetoError(
                    _("“{archive}” could not be unpacked.").format(archive=archive),
                    str(error),
                    _("Delete it and run this again: npm then fetches it anew."),
                ) from error
            (Path(temporary) / "package").rename(work / package.folder)
    return work


def _pack(package: Package, work: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise BocetoError(
            _("The art of “{name}” cannot be fetched: npm is not installed.").format(name=package.name),
            _("It was looked for in the folders of PATH."),
            _("Install Node.js, or put {archive} into {work} yourself.").format(archive=package.archive, work=work),
        )
    command = [npm, "pack", f"{package.name}@{package.version}", "--silent", "--pack-destination", str(work)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode or not (work / package.archive).exists():
        raise BocetoError(
            _("npm could not fetch “{name}” {version}.").format(name=package.name, version=package.version),
            done.stderr.strip()[-1000:],
            _("See whether the npm registry can be reached, then run this again: what was fetched is kept."),
        )


def _drawings_of(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    for member in archive:
        if member.isfile() and (member.name.endswith(".svg") or member.name.endswith("data/openmoji.json")):
            yield member


def listed(work: Path) -> list[Art]:
    """Every drawing in the unpacked packages, sorted, without skin tones, flags and components."""
    known = {_words(entry["annotation"]): entry for entry in _openmoji(work)}
    found = []
    for concept, entry in known.items():
        code, group = entry["hexcode"], f"{entry['group']}/{entry['subgroups']}"
        found.append(Art(concept, "openmoji", group, work / OPENMOJI.folder / "color" / "svg" / f"{code}.svg"))
        found.append(Art(concept, OUTLINE, group, work / OPENMOJI.folder / "black" / "svg" / f"{code}.svg"))
        # Twemoji leaves out the variation selector in most names, and keeps it in sequences.
        names = dict.fromkeys((code.lower(), code.lower().replace("-fe0f", "")))
        found += [Art(concept, "twemoji", group, work / TWEMOJI.folder / f"{name}.svg") for name in names]
    icons = work / FLUENT.folder / "icons"
    for plain in (icons / "high-contrast").glob("*.svg"):  # Fluent draws skin tones in every style but this one
        concept = _words(plain.stem.removesuffix("-default"))
        group = f"{known[concept]['group']}/{known[concept]['subgroups']}" if concept in known else ""
        found += [Art(concept, style, group, icons / style / plain.name) for style in ("flat", "modern")]
    return sorted({(art.style, art.concept): art for art in found if art.path.exists()}.values(), key=_order)


def _order(art: Art) -> tuple[str, str]:
    return art.style, art.concept


def _openmoji(work: Path) -> list[dict[str, Any]]:
    entries = json.loads((work / OPENMOJI.folder / "data" / "openmoji.json").read_text(encoding="utf-8"))
    return [
        entry
        for entry in entries
        if not entry["skintone"] and not entry["group"].startswith(("flags", "component", "extras"))
    ]


def _words(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return " ".join(re.findall(r"[a-z0-9]+", plain))


def concepts(art: Sequence[Art], styles: Sequence[str], count: int, first: Sequence[str], seed: int) -> list[str]:
    """The `count` things to teach: those of `first`, then others at random, each of them drawn in all `styles`."""
    drawn = {style: {one.concept for one in art if one.style == style} for style in styles}
    in_all = set.intersection(*drawn.values())
    pictorial = {
        one.concept
        for one in art
        # Twenty-four clock faces would be twenty-four names for one picture.
        if one.group.startswith(_PICTORIAL) and not one.group.endswith("/time")
    }
    chosen = [concept for concept in dict.fromkeys(first) if concept in in_all]
    others = sorted(in_all & pictorial - set(chosen))
    Random(seed).shuffle(others)
    return (chosen + others)[:count]


def rendered(path: Path, side: int) -> Image.Image:
    """The drawing on white, `side` pixels wide and high."""
    try:
        import resvg_py
    except ImportError as error:
        raise BocetoError(
            _("The art cannot be rasterised: resvg-py is not installed."),
            str(error),
            _("Install it with: pip install 'boceto[mini]'"),
        ) from error
    # Loading the system's fonts takes longer than the drawing, and no emoji has a letter set in one.
    png = resvg_py.svg_to_bytes(svg_path=str(path), width=side, height=side, background="white", skip_system_fonts=True)
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    # A dozen of Fluent's drawings are 32 × 33.
    return picture if picture.size == (side, side) else ImageOps.pad(picture, (side, side), color="white")


def pixels(art: Sequence[Art], work: Path, side: int = SIDE, drawn: int = RENDERED) -> NDArray[np.uint8]:
    """The drawings as one array (n, side, side, 3), on white; what was rasterised once is kept in `work`.

    Resvg draws them `drawn` pixels wide and high, a multiple of `side`, and they are averaged down.
    """
    kept = work / f"pictures-{side}.npz"
    names = [one.path.relative_to(work).as_posix() for one in art]
    if kept.exists():
        with np.load(kept) as file:
            if file["names"].tolist() == names:
                return np.asarray(file["pictures"], dtype=np.uint8)
    log.info(_("{count} drawings are rasterised.").format(count=len(art)))
    pictures = np.stack([np.asarray(rendered(one.path, drawn).reduce(drawn // side)) for one in art])
    with replacing(kept) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, names=np.array(names), pictures=pictures)
    return pictures
