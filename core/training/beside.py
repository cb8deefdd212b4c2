"""The regularisation drawings of a schedule, as the training sees them."""

from pathlib import Path

from msgspec.structs import replace

from core.images.buckets import into
from core.plan.frozen import FrozenDrawing, FrozenPlan
from core.plan.schedule import Schedule


def regularisation(frozen: FrozenPlan, schedule: Schedule) -> list[tuple[FrozenDrawing, bool]]:
    """The drawing of each of the schedule's prior pictures, never flipped; empty where the base makes them itself.

    Each is cut to the bucket it is shown in, and its name is its whole path.
    """
    found = []
    for picture in schedule.prior:
        if picture.drawing is not None:
            drawing = frozen.regularisation[picture.drawing]
            place = into(drawing.placement.width, drawing.placement.height, picture.bucket)
            path = Path(frozen.plan.regularisation) / drawing.name
            found.append((replace(drawing, name=str(path), placement=place), False))
    return found
