"""What a file of another tool says of a training, in the names of sd-scripts, before anything is made of it."""

from math import isfinite
from pathlib import Path
from typing import Any

from msgspec import Struct

from core.errors import BocetoError
from core.kohya.terms import literal, pairs
from core.language import _


def finite(value: Any) -> float | None:
    """A value as a number that can be reckoned with, if it is one."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if isfinite(number) else None


class Folder(Struct, frozen=True):
    """One folder of drawings and how often an epoch shows them."""

    path: str
    repeats: int | None = None
    regularisation: bool = False


class Said(Struct, frozen=True, kw_only=True):
    """The options of one training, all in one place as sd-scripts reads them."""

    source: Path
    options: dict[str, Any]
    """By the names of sd-scripts' options; what stands in several tables or files, once."""
    training: bool = False
    """Whether it is about the training: then what it does not name is sd-scripts' default."""
    dataset: bool = False
    """Whether it is about the drawings, in the same sense."""
    folders: tuple[Folder, ...] = ()
    text_encoders: bool | None = None
    """Whether they were trained, where the file itself shows it."""
    steps: int | None = None
    """How many steps there were, where the file says so."""
    word: str = ""
    model: str = ""
    """The base, as far as the file names it."""
    plan: dict[str, Any] = {}
    """The plan of a LoRA of Boceto's, whole: it counts before anything else."""
    unsaid: frozenset[str] = frozenset()
    """Options that such a file never names, so that sd-scripts' defaults say nothing."""
    loose: bool = False
    """Whether the file has many names of its own, so that one more means nothing."""

    def __contains__(self, key: str) -> bool:
        return self.get(key) is not None

    def get(self, key: str, default: Any = None) -> Any:
        """The value of an option; what is empty or “None” counts as not said."""
        value = self.options.get(key)
        return default if value is None or value in ("", "None") else value

    def number(self, key: str, default: float = 0.0) -> float:
        """A value as a number, or the default where it is none."""
        number = finite(self.get(key, default))
        return default if number is None else number

    def is_on(self, key: str) -> bool:
        """Whether a switch is on."""
        return str(self.get(key, False)).lower() in ("true", "1")

    def arguments(self, key: str) -> dict[str, Any]:
        """An option that is a list of `k=v`, a line of them, or a table."""
        value = self.get(key)
        if isinstance(value, dict):
            return {str(name): literal(one) if isinstance(one, str) else one for name, one in value.items()}
        return pairs(value.split() if isinstance(value, str) else value if isinstance(value, list) else ())


def unreadable(path: object, reason: str) -> BocetoError:
    """A file that nothing can be made of."""
    return BocetoError(
        _("“{path}” is no training that Boceto can read.").format(path=path),
        reason,
        _("Give a training_config.toml or dataset_config.toml of sd-scripts, a .json of kohya_ss, or a LoRA file."),
    )
