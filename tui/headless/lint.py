"""`boceto lint`: what is wrong with the captions, and what of it can be mended without asking."""

import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence

import msgspec
from msgspec.structs import replace

from core.bases import find
from core.captions import store
from core.captions.habits import dataset_problems
from core.captions.mends import MENDS, mend_words
from core.captions.store import CaptionFile
from core.errors import BocetoError, Problem, Severity
from core.language import _, ngettext
from core.plan.survey import Survey, survey, tokenizer_of
from core.project import Place, Project
from tui.headless.changes import make, show, summary
from tui.headless.check import MARKS
from tui.headless.train import project_of
from tui.words import plain

ALL = "all"


def lint(options: Namespace) -> int:
    """Say every problem. Returns 1 when one is left that is more than good to know."""
    place, project = project_of(options)
    codes = _codes(options.fix)
    seen = survey(place, project, find.resolve(project.base))
    status = 0
    if codes:
        status = _mend(options, place, project, seen, codes)
        if not options.dry_run:
            seen = _read_again(place, project, seen)
    found = problems(seen, project)
    for problem in found:
        _say(problem, options.json)
    grave = sum(problem.severity is not Severity.NOTE for problem in found)
    if not options.json:
        print(plain(_summary(len(seen.usable(project)), len(found), grave)))
    return max(status, int(grave > 0))


def problems(seen: Survey, project: Project) -> list[Problem]:
    """What is wrong with the captions that are trained, with all of them together, and with the word."""
    usable = seen.usable(project)
    captions = {seen.drawings[index].name: seen.captions[index].training_text for index in usable}
    return [
        *(problem for index in usable for problem in seen.texts[index]),
        *dataset_problems(captions, project.activation_word, project.kind),
        *seen.word,
    ]


def _codes(wanted: Sequence[str]) -> list[str]:
    """The kinds to mend, each once. Raises BocetoError for one that nothing mends by itself."""
    for code in wanted:
        if code != ALL and code not in MENDS:
            from tui.problems import code_words  # it brings the screen's words, which nothing else needs here

            if code_words(code) == code.replace("-", " "):
                raise BocetoError(
                    _("There is no kind of problem called “{code}”.").format(code=code),
                    _("These can be mended: {codes}.").format(codes=", ".join((ALL, *MENDS))),
                )
            raise BocetoError(
                _("“{code}” cannot be mended without asking.").format(code=code),
                _("These can: {codes}.").format(codes=", ".join(MENDS)),
                _("`boceto lint` says what is there; the others are for you to decide."),
            )
    return [code for code in MENDS if code in wanted or ALL in wanted]


def _mend(options: Namespace, place: Place, project: Project, seen: Survey, codes: Sequence[str]) -> int:
    """Mend one kind after the other, each a step of its own that can be taken back."""
    usable = seen.usable(project)
    files = {seen.drawings[index].name: seen.captions[index] for index in usable}
    files = {name: file for name, file in files.items() if not file.trouble}
    having = {index: {problem.code for problem in seen.texts[index]} for index in usable}
    count, chunks = tokenizer_of(find.resolve(project.base)).count, project.plan.caption_chunks
    status = 0
    for code in codes:
        edit = MENDS[code](project.activation_word, count, chunks)
        names = [seen.drawings[index].name for index in usable if code in having[index]]
        changes = {
            name: (files[name].text, after)
            for name in names
            if name in files and (after := edit(files[name].text)) != files[name].text
        }
        if not changes:
            continue
        if not options.json:
            print(plain(f"{code}: {mend_words(code)}"))
        show(changes, options.json)
        made = changes if options.dry_run else make(mend_words(code), changes, files, place, project)
        if not options.json:
            print(summary(len(made), options.dry_run))
        status = max(status, int(len(made) < len(changes)))
        files = _after(files, made, options.dry_run)
    return status


def _after(
    files: Mapping[str, CaptionFile], changes: Mapping[str, tuple[str, str]], dry_run: bool
) -> dict[str, CaptionFile]:
    """The captions as they are now, or would be."""
    changed = {
        name: replace(files[name], text=after) if dry_run else store.read(files[name].drawing)
        for name, (_before, after) in changes.items()
    }
    return {**files, **changed}


def _read_again(place: Place, project: Project, seen: Survey) -> Survey:
    """The survey with the captions as their files hold them now."""
    folder = place.dataset(project)
    files = {index: store.read(folder / drawing.name) for index, drawing in enumerate(seen.drawings)}
    return seen.with_captions(files, project, find.resolve(project.base))


def _say(problem: Problem, json: bool) -> None:
    if json:
        whole = msgspec.json.decode(msgspec.json.encode(problem))
        sys.stdout.write(msgspec.json.encode({"problem": whole, "mends": problem.code in MENDS}).decode() + "\n")
        return
    where = f"{plain(problem.drawing)}: " if problem.drawing else ""
    print(f"{MARKS[problem.severity]} {where}{plain(problem.message)} [{problem.code}]")
    print(f"    → {plain(problem.remedy)}")


def _summary(captions: int, found: int, grave: int) -> str:
    looked = ngettext("{n} caption looked at", "{n} captions looked at", captions).format(n=captions)
    if not found:
        return _("{captions}: nothing to say.").format(captions=looked)
    problems_ = ngettext("{n} thing to say", "{n} things to say", found).format(n=found)
    weighty = ngettext("{n} of them matters", "{n} of them matter", grave).format(n=grave)
    return _("{captions}: {problems}, {grave}.").format(captions=looked, problems=problems_, grave=weighty)
