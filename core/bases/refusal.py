"""Why a file or folder is no base for us, in words."""

from pathlib import Path

from core.errors import BocetoError
from core.language import _


class NoBaseError(BocetoError):
    """Why the model at `path` is no base for us."""

    def __init__(self, path: Path, error: BocetoError) -> None:
        super().__init__(error.title, error.detail, error.hint)
        self.path = path


def not_sdxl(path: Path, detail: str, hint: str = "") -> BocetoError:
    """Something that can be read and is no SDXL base; `detail` says what it is instead."""
    return BocetoError(
        _("“{path}” is not an SDXL base that can be trained on.").format(path=path),
        detail,
        hint or _("Choose an SDXL model, such as SDXL 1.0, Pony or Animagine XL."),
    )


def pickled(path: Path) -> BocetoError:
    """A file that would run code when it is opened."""
    return BocetoError(
        _("“{path}” is not opened: a file of this kind can carry harmful code.").format(path=path),
        _("A .ckpt or .pt file is a Python pickle: whoever opens it runs whatever its maker put in."),
        _("Take the same model as .safetensors; nearly every model is offered in that format too."),
    )


def no_model(path: Path, detail: str) -> BocetoError:
    """A file that is no model at all, or only a part of one."""
    return BocetoError(
        _("“{path}” is no whole model.").format(path=path), detail, _("Copy or download the model again, whole.")
    )
