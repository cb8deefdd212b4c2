"""Buckets: the shapes that drawings are resized to, and what of each drawing they keep."""

from functools import cached_property
from math import log
from typing import Literal

from msgspec import Struct
from PIL import Image

Fit = Literal["crop", "pad"]
_BOX_FROM = 8
"""Shrinking by more, Pillow's box filter is nearest to true area averaging; by less, its Hamming filter is
(mean error on line drawings 0.4 against 0.6 of 255 at 12 times, 0.3 against 0.1 at 3 times; Lanczos rings at both)."""


class Bucket(Struct, frozen=True, order=True):
    """One shape of the training, in pixels."""

    width: int
    height: int


class Buckets(Struct, frozen=True, dict=True):
    """All shapes that a base is trained on."""

    native: int
    """Side of the square that the base was made for."""
    step: int
    """Every side is a multiple of this."""
    least: int
    most: int

    @classmethod
    def of(cls, native: int, multiple: int = 32) -> "Buckets":
        """The buckets of a base: sixteen steps a side, a ratio of at most 4, no side off `multiple`.

        1024 gives step 64 and sides of 512 to 2048. `multiple` is what the VAE and the UNet divide a side by.
        """
        if native < multiple:
            raise ValueError(f"a base of {native} pixels cannot have sides that are multiples of {multiple}")
        step = -(-max(native // 16, multiple) // multiple) * multiple
        return cls(native, step, native // 2, native * 2)

    @cached_property
    def sizes(self) -> tuple[Bucket, ...]:
        """For each width the greatest height with no more than native² pixels, and the mirror image of each."""
        area = self.native**2
        square = self.native // self.step * self.step
        found = {Bucket(square, square)}
        for width in range(-(-self.least // self.step) * self.step, self.most + 1, self.step):
            height = min(self.most, area // width) // self.step * self.step
            if height >= self.least:
                found |= {Bucket(width, height), Bucket(height, width)}
        return tuple(sorted(found))

    def nearest(self, width: int, height: int) -> Bucket:
        """The bucket whose ratio is the fewest times wider or taller; of two alike the larger."""
        ratio = log(width) - log(height)
        return min(
            self.sizes,
            key=lambda size: (
                abs(log(size.width) - log(size.height) - ratio),
                -size.width * size.height,
                size,
            ),
        )


class Placement(Struct, frozen=True):
    """How one drawing comes into its bucket; all in pixels."""

    width: int
    """The drawing's own size."""
    height: int
    bucket: Bucket
    resized_width: int
    """The whole drawing's size after the resize, before anything is cut or added."""
    resized_height: int
    left: int
    """What the crop cuts off at the left of the resized drawing; 0 when padded."""
    top: int
    pad_left: int
    """Where the resized drawing begins on the padded bucket; 0 when cropped."""
    pad_top: int
    enlargement: float
    """Factor of the resize: above 1 the drawing is made larger."""
    cropped: float
    """Share of the drawing that is cut away, 0 to 1."""


def place(width: int, height: int, buckets: Buckets, fit: Fit = "crop") -> Placement:
    """Where a drawing of this size goes: into the bucket nearest to its shape."""
    return into(width, height, buckets.nearest(width, height), fit)


def into(width: int, height: int, bucket: Bucket, fit: Fit = "crop") -> Placement:
    """How a drawing of this size comes into `bucket`.

    To crop, it is resized until it covers the bucket and cut evenly on both sides; to pad, until it fits inside.
    """
    wider = width * bucket.height >= height * bucket.width
    by_height = wider if fit == "crop" else not wider
    # Whole numbers, so that one side is the bucket's exactly and the other never falls short by a rounding.
    if by_height:
        resized = max(1, _divided(width * bucket.height, height)), bucket.height
        enlargement = bucket.height / height
    else:
        resized = bucket.width, max(1, _divided(height * bucket.width, width))
        enlargement = bucket.width / width
    over_width, over_height = resized[0] - bucket.width, resized[1] - bucket.height
    kept = bucket.width * bucket.height / (resized[0] * resized[1])
    return Placement(
        width=width,
        height=height,
        bucket=bucket,
        resized_width=resized[0],
        resized_height=resized[1],
        left=max(0, over_width) // 2,
        top=max(0, over_height) // 2,
        pad_left=max(0, -over_width) // 2,
        pad_top=max(0, -over_height) // 2,
        enlargement=enlargement,
        cropped=1 - kept if fit == "crop" else 0.0,
    )


def time_ids(placement: Placement) -> tuple[int, int, int, int, int, int]:
    """SDXL's size and crop conditioning: original height, width, crop top, left, target height, width.

    The crop is the one that was made. sd-scripts computes it for a drawing that fits inside the bucket, and so gives
    the other axis.
    """
    return (
        placement.height,
        placement.width,
        placement.top,
        placement.left,
        placement.bucket.height,
        placement.bucket.width,
    )


def fitted(image: Image.Image, placement: Placement, background: str = "#ffffff") -> Image.Image:
    """The RGB image as its bucket shows it: resized and cropped, or padded with `background`."""
    bucket = placement.bucket
    resample = _filter(placement.enlargement)
    seen_width = min(bucket.width, placement.resized_width)
    seen_height = min(bucket.height, placement.resized_height)
    # Only the part that stays is resized: a drawing of 1 × 5000 would be gigabytes before its crop.
    across, down = placement.width / placement.resized_width, placement.height / placement.resized_height
    kept = (
        placement.left * across,
        placement.top * down,
        min(placement.width, (placement.left + seen_width) * across),
        min(placement.height, (placement.top + seen_height) * down),
    )
    resized = image.resize((seen_width, seen_height), resample, box=kept)
    if resized.size == (bucket.width, bucket.height):
        return resized
    padded = Image.new("RGB", (bucket.width, bucket.height), background)
    padded.paste(resized, (placement.pad_left, placement.pad_top))
    return padded


def _filter(enlargement: float) -> Image.Resampling:
    if enlargement > 1:
        return Image.Resampling.LANCZOS
    return Image.Resampling.BOX if enlargement * _BOX_FROM < 1 else Image.Resampling.HAMMING


def _divided(dividend: int, divisor: int) -> int:
    """The quotient, a half rounded up."""
    return (2 * dividend + divisor) // (2 * divisor)
