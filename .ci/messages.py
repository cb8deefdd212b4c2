"""Gather every sentence a person reads, and compile the catalogues: what `make messages` runs.

The help of each choice is a docstring under its field, which gettext's own extraction does not see.
"""

from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from core.language import LANGUAGES, LOCALES
from core.settings import Plan, choices

ROOT = Path(__file__).parent.parent
KEYWORDS = {"_": None, "ngettext": (1, 2)}
ARGPARSE = (
    "usage: ",
    "positional arguments",
    "options",
    "show this help message and exit",
    "the following arguments are required: %s",
    "unrecognized arguments: %s",
    "expected one argument",
    "expected at least one argument",
    "expected at most one argument",
    ("expected %s argument", "expected %s arguments"),
    "ambiguous option: %(option)s could match %(matches)s",
    "ignored explicit argument %r",
    "invalid %(type)s value: %(value)r",
    "invalid choice: %(value)r (choose from %(choices)s)",
    "%(prog)s: error: %(message)s\n",
    "argument %(argument_name)s: %(message)s",
)
"""What argparse says by itself; it looks it up in our catalogue (`tui.cli`)."""


def gathered() -> Catalog:
    """Every sentence, once."""
    template = Catalog(project="boceto", charset="utf-8", fuzzy=False)
    for folder in ("core", "tui"):
        found = extract_from_dir(ROOT / folder, [("**.py", "python")], keywords=KEYWORDS)
        for _file, _line, message, _comments, _context in sorted(found, key=lambda row: (row[0], row[1])):
            template.add(message)
    for words in (*ARGPARSE, *(choice.help for choice in choices(Plan))):
        template.add(words)
    return template


def main() -> None:
    """Bring each language's catalogue up to date; new sentences come in empty, and `make test` asks for them."""
    template = gathered()
    for language in LANGUAGES:
        if language == "en":
            continue
        path = LOCALES / language / "LC_MESSAGES" / "boceto.po"
        catalogue = Catalog(locale=language, project="boceto", charset="utf-8", fuzzy=False)
        if path.exists():
            with path.open("rb") as file:
                catalogue = read_po(file, language)
        catalogue.update(template, no_fuzzy_matching=True, update_creation_date=False)
        catalogue.obsolete.clear()
        catalogue.header_comment = f"# Every sentence of Boceto in “{language}”."
        catalogue.msgid_bugs_address = catalogue.last_translator = catalogue.language_team = "Boceto"
        with path.open("wb") as file:
            write_po(file, catalogue, width=0, omit_header=False)
        with path.with_suffix(".mo").open("wb") as file:
            write_mo(file, catalogue)


if __name__ == "__main__":
    main()
