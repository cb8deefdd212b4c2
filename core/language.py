"""The language of every sentence a person reads.

The catalogues lie in the core because the job, which knows no screen, writes sentences too.
"""

import gettext as _gettext
import os
from functools import cache
from pathlib import Path

LOCALES = Path(__file__).parent / "locale"
LANGUAGES = ("en", "es")
_VARIABLES = ("BOCETO_LANGUAGE", "LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")


def preferred() -> str:
    """The first of our languages that the environment asks for; English when it asks for none."""
    for variable in _VARIABLES:
        for wish in os.environ.get(variable, "").split(":"):
            language = wish.split("_")[0].split(".")[0].lower()
            if language in LANGUAGES:
                return language
    return "en"


@cache
def _catalogue(language: str) -> _gettext.NullTranslations:
    return _gettext.translation("boceto", LOCALES, [language], fallback=True)


def _(sentence: str) -> str:
    """`sentence` in the person's language."""
    return _catalogue(preferred()).gettext(sentence) if sentence else ""


def ngettext(one: str, many: str, n: int) -> str:
    """The form of a sentence that goes with `n` things."""
    return _catalogue(preferred()).ngettext(one, many, n)
