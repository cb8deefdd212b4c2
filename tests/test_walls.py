"""What may load what, and that every sentence has its Spanish."""

import subprocess
import sys
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from core.language import LANGUAGES, LOCALES, _
from core.settings import Plan, choices

ROOT = Path(__file__).parent.parent
HEAVY = ("torch", "diffusers", "transformers", "peft", "bitsandbytes", "prodigyopt")


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["train", "--help"], ["ls"]])
def test_the_command_line_loads_neither_training_libraries_nor_a_screen(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom tui.cli import main\n"
        f"try:\n    main({arguments})\nexcept SystemExit:\n    pass\n"
        f"print('LOADED', [name for name in {(*HEAVY, 'textual')} if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert said.splitlines()[-1] == "LOADED []"


def test_every_module_of_the_screen_loads_without_training_libraries() -> None:
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in (ROOT / "tui").rglob("*.py")
        if path.name not in ("__init__.py", "__main__.py")
    ]
    code = f"import sys, importlib\nfor name in {modules}: importlib.import_module(name)\n"
    code += f"print([name for name in {HEAVY} if name in sys.modules])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert said.strip() == "[]"


def sentences() -> set[str | tuple[str, ...]]:
    """Every sentence in the code, as `make messages` gathers them, and the help of every choice."""
    found: set[str | tuple[str, ...]] = set()
    for folder in ("core", "tui"):
        for _file, _line, message, _comments, _context in extract_from_dir(
            ROOT / folder, [("**.py", "python")], keywords={"_": None, "ngettext": (1, 2)}
        ):
            found.add(message)
    return found | {choice.help for choice in choices(Plan)}


def catalogue(language: str) -> Catalog:
    with (LOCALES / language / "LC_MESSAGES" / "boceto.po").open("rb") as file:
        return read_po(file, language)


@pytest.mark.parametrize("language", [language for language in LANGUAGES if language != "en"])
def test_every_sentence_is_translated_and_keeps_its_placeholders(language: str) -> None:
    import re

    known = catalogue(language)
    missing, broken = [], []
    for sentence in sentences():
        key = sentence if isinstance(sentence, str) else sentence[0]
        message = known.get(key)
        words = message.string if message else ""
        forms = [words] if isinstance(words, str) else list(words)
        if not message or not all(forms) or message.fuzzy:
            missing.append(key)
            continue
        wanted = set(re.findall(r"{[^}]*}", key)) | set(
            re.findall(r"{[^}]*}", sentence[1]) if isinstance(sentence, tuple) else ()
        )
        if any(not set(re.findall(r"{[^}]*}", form)) <= wanted for form in forms) or not any(
            set(re.findall(r"{[^}]*}", form)) >= set(re.findall(r"{[^}]*}", key)) for form in forms
        ):
            broken.append(key)
    assert not missing, f"{len(missing)} without translation: {sorted(missing)[:10]}"
    assert not broken, broken


def test_the_compiled_catalogue_is_the_written_one() -> None:
    compiled = BytesIO()
    write_mo(compiled, catalogue("es"))
    assert (LOCALES / "es" / "LC_MESSAGES" / "boceto.mo").read_bytes() == compiled.getvalue()


def test_spanish_is_spoken_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOCETO_LANGUAGE", "es")
    assert _("A project needs a name.") == "Un proyecto necesita un nombre."
