"""Why something could not be fetched, and what to do: one set of words for every way in which a hub can refuse."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx2
from huggingface_hub import constants, get_token
from huggingface_hub.errors import (
    FileMetadataError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from core.errors import BocetoError
from core.hub.order import Order, site
from core.language import _


@contextmanager
def told(order: Order) -> Iterator[None]:
    """Tell what the hub's library and the network raise in words."""
    try:
        yield
    except (httpx2.HTTPError, HfHubHTTPError, OfflineModeIsEnabled, HFValidationError, FileMetadataError) as error:
        raise refused(order, error) from error


def refused(order: Order, error: Exception) -> BocetoError:
    """The words for an error of the hub's library or of the network."""
    host = urlsplit(site()).netloc
    match error:
        case OfflineModeIsEnabled():
            detail = _("The variable HF_HUB_OFFLINE is set, and it forbids every download.")
            hint = _("Unset it and try again.")
        case GatedRepoError() if get_token():
            detail = _(
                "Its authors let only some people in, and the account of this machine's token is not among them."
            )
            hint = _("Ask for access at {page} with that account, and try again when it is granted.").format(
                page=order.page
            )
        case GatedRepoError():
            detail = _("Its authors ask everybody to accept their terms first, and this machine has no token.")
            hint = _(
                "Accept them at {page}, make a token in the settings there and save it here: hf auth login"
            ).format(page=order.page)
        case RevisionNotFoundError():
            detail = _("The repository “{repository}” has no state called “{revision}”.").format(
                repository=order.repository, revision=order.revision
            )
            hint = _("See at {page} which there are.").format(page=order.page)
        case RemoteEntryNotFoundError():
            return lacking(order, order.files)
        case RepositoryNotFoundError() | HFValidationError():
            detail = _("The hub has no repository “{repository}”, or it is private.").format(
                repository=order.repository
            )
            hint = _("See whether {page} opens; what is private needs a token: hf auth login").format(page=order.page)
        case HfHubHTTPError():
            detail, hint = _status(error, host)
        case httpx2.TimeoutException():
            detail = _("{host} sent nothing for {seconds} seconds.").format(
                host=host, seconds=constants.HF_HUB_DOWNLOAD_TIMEOUT
            )
            hint = _("Try again later.")
        case httpx2.ProxyError() | httpx2.ConnectError():
            detail = _("{host} cannot be reached: {reason}.").format(host=host, reason=str(error).rstrip("."))
            hint = _("See whether this machine is connected; behind a proxy the variable HTTPS_PROXY must name it.")
        case FileMetadataError():
            return not_a_hub(order)
        case _:
            detail = _("The connection to {host} broke: {reason}.").format(host=host, reason=str(error).rstrip("."))
            hint = _("Try again.")
    return _refusal(order, detail, hint)


def lacking(order: Order, names: Sequence[str]) -> BocetoError:
    """Files that are wanted and not there."""
    files = ", ".join(_either(name) for name in names)
    return BocetoError(
        _title(order),
        _("The repository “{repository}” does not hold {files}.").format(repository=order.repository, files=files),
        _("See at {page} whether its files were renamed.").format(page=order.page),
    )


def not_a_hub(order: Order) -> BocetoError:
    """An answer that no hub gives."""
    host = urlsplit(site()).netloc
    detail = _("What {host} answers is not what the hub answers.").format(host=host)
    if os.environ.get("HF_ENDPOINT"):
        hint = _("HF_ENDPOINT names that address: see whether it is right.")
    else:
        hint = _sign_in()
    return _refusal(order, detail, hint)


def page_instead(order: Order, name: str, host: str) -> BocetoError:
    """A web page where a file should be."""
    return _refusal(order, _("{host} sent a web page in place of “{file}”.").format(host=host, file=name), _sign_in())


def damaged(order: Order, name: str) -> BocetoError:
    """A file whose digest or length is not the hub's."""
    return _refusal(
        order,
        _("What arrived of “{file}” is not what the hub holds: its checksum is another.").format(file=name),
        _("It was thrown away. Try again; if that happens twice, something on the way changes files."),
    )


def no_room(order: Order, needed: int, free: int) -> BocetoError:
    """Too little space on the disk."""
    return BocetoError(
        _("There is no room for “{name}” on the disk.").format(name=order.name),
        _("It needs {needed:.2f} GB more, and {free:.2f} GB are free where “{folder}” is.").format(
            needed=needed / 1e9, free=free / 1e9, folder=order.cache
        ),
        _("Make room, or let the variable HF_HOME name a folder on another disk."),
    )


def gave_up(order: Order, error: Exception, done: int, total: int) -> BocetoError:
    """A server that sent nothing new, again and again."""
    refusal = refused(order, error)
    kept = _("{done:.1f} of {total:.1f} MB are kept: the next try goes on from there.").format(
        done=done / 1e6, total=total / 1e6
    )
    return BocetoError(refusal.title, refusal.detail, f"{kept} {refusal.hint}" if done else refusal.hint)


def _refusal(order: Order, detail: str, hint: str) -> BocetoError:
    by_hand = _("Or fetch them by hand at {page}: put {files} in “{folder}”.").format(
        page=f"{order.page}/tree/{order.revision}",
        files=", ".join(_either(name) for name in order.files),
        folder=order.by_hand,
    )
    return BocetoError(_title(order), detail, f"{hint} {by_hand}")


def _title(order: Order) -> str:
    return _("“{name}” could not be downloaded.").format(name=order.name)


def _either(name: str) -> str:
    return name.replace("|", " / ")


def _sign_in() -> str:
    return _("A sign-in page of this network or a proxy may stand between: open any page in a browser and sign in.")


def _status(error: HfHubHTTPError, host: str) -> tuple[str, str]:
    status = error.response.status_code
    if status == httpx2.codes.UNAUTHORIZED:
        return (
            _("{host} does not accept the token of this machine: it is wrong or has expired.").format(host=host),
            _("Save a new one with `hf auth login`, or drop it with `hf auth logout` where none is needed."),
        )
    if status == httpx2.codes.FORBIDDEN:
        return (
            _("{host} refuses to give it (403).").format(host=host),
            _("The token of this machine may lack the permission, or this network may forbid it."),
        )
    if status == httpx2.codes.TOO_MANY_REQUESTS:
        return (
            _("{host} was asked too often from here (429).").format(host=host),
            _("Wait some minutes; with a token more is allowed: hf auth login"),
        )
    if status >= httpx2.codes.INTERNAL_SERVER_ERROR:
        return (
            _("{host} has a trouble of its own ({status}).").format(host=host, status=status),
            _("Try again in some minutes."),
        )
    return _("{host} refuses to give it ({status}).").format(host=host, status=status), _("Try again later.")
