"""The wizard as questions and answers, line by line: for screen readers, and for terminals that show no screens."""

import io
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from shlex import quote
from threading import Event as Cancelled
from time import monotonic
from typing import get_args

from msgspec.structs import replace

from core.bases import find
from core.bases.base import Base
from core.bases.catalog import entry
from core.captions.activation import check_word
from core.checkup import lacking
from core.errors import BocetoError, Problem, Severity
from core.images.drawing import Drawing
from core.images.scan import scan
from core.language import _, ngettext
from core.plan import pace
from core.plan.folders import dealt, folder_repeats
from core.plan.frozen import FrozenPlan, freeze
from core.plan.optimizers import ARGUMENTS, recommend
from core.plan.settle import settle
from core.plan.steps import TARGET, count, suggestions
from core.plan.survey import surveyed, tokenizer_of
from core.project import Kind, Place, Project, begin
from core.runs.follow import follow
from core.runs.launch import launch
from core.runs.run import Run
from core.settings import Plan, Settled, choices
from tui.asking import Back, Leave, agreed, ask_for, complain, numbered, one_of, say
from tui.choices import with_choices
from tui.folders import expanded, held, tally, unfit
from tui.forecast import free_here
from tui.headless.progress import Lines, status_of
from tui.labels import OPTIMIZERS, label, optimizer_name
from tui.start import begun
from tui.summary import chosen_by_person, facts
from tui.work import Seen, Settings, Work

_LISTED = 10
"""Drawings that are named; who listens cannot skip the rest."""
_NEWS_EVERY = 5.0
"""Seconds between two lines of the scan."""


_STATUS: dict[type[BaseException], int] = {KeyboardInterrupt: 130, EOFError: 1, Leave: 0}


def ask(target: str) -> int:
    """Ask every question, train, and tell how it goes. Returns the exit status."""
    for stream, errors in ((sys.stdin, "surrogateescape"), (sys.stdout, "replace")):
        # An old terminal may send bytes that are no text, and may lack “ and ×.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=errors)
    work, _at = begun(target)
    if work.run and work.run.is_alive():
        say(_("A training of this project is running."))
        return _train(work.run)
    say(_("Enter takes the answer in brackets, ? explains the question, b goes back to the one before."))
    number = 0
    try:
        while number < len(QUESTIONS):
            try:
                work = QUESTIONS[number][1](work)
                number += 1
            except (Back, BocetoError) as reason:
                # After an error too: a question that fails before it is asked would fail again, and for ever.
                number = max(0, number - 1)
                if isinstance(reason, BocetoError):
                    complain(reason)
            at = QUESTIONS[number][0] if number < len(QUESTIONS) else "training"
            work = work.with_project(replace(work.project, at=at))
            work.keep()
    except tuple(_STATUS) as end:
        words = _("Nothing was started.")
        if work.place:
            again = f"boceto --plain {quote(str(work.place.folder))}"
            words += " " + _("Your answers are kept; `{command}` goes on.").format(command=again)
        say("", words)
        return _STATUS[type(end)]
    assert work.run
    return _train(work.run)


# The questions: each takes the work and gives it back with its answer.


def _folder(work: Work) -> Work:
    given = Path(work.project.dataset)
    known = work.place.dataset(work.project) if work.place else given if given.is_absolute() else Path.cwd()

    def take(text: str) -> Work:
        folder = known if text == str(known) else expanded(text)
        holds, same = held(folder), bool(work.place) and folder == known
        if reason := unfit(holds, same and work.project.nested):
            raise BocetoError(reason)
        say(tally(holds))
        # Without what was seen: files may have come and gone.
        return replace(work, seen=None) if same else Work(project=Project(name="", dataset=str(folder)))

    explained = _("Choose the folder with your drawings. The guide begins with 35; fewer give a first model.")
    return ask_for(_("Folder of your drawings"), str(known), explained, take)


def _name(work: Work) -> Work:
    dataset = work.place.dataset(work.project) if work.place else Path(work.project.dataset)

    def take(text: str) -> Work:
        if work.place and text == work.project.name:
            return work
        place, project = begin(dataset, "" if text == dataset.name else text)
        if not place.file.is_file():
            project = replace(project, base=find.best())
        return Work(project=project, place=place)

    explained = _("The LoRA file is called like the project. Nothing is copied or changed: the drawings stay there.")
    return ask_for(_("Name of the project"), work.project.name or dataset.name, explained, take)


def _drawings(work: Work) -> Work:
    work = _looked(work)
    explained = _(
        "Sizes may differ, not too much. The ideal for SDXL: 1024×1024, 780×1024 or 1024×780. "
        "Every drawing is resized and cropped to its bucket."
    )
    if not agreed(_("Go on with these drawings?"), explained):
        raise Leave
    return work


def _kind(work: Work) -> Work:
    kinds: tuple[Kind, ...] = get_args(Kind)
    names = [_("a style"), _("a character")]
    say(*numbered(names))
    explained = _("A style is a way of drawing; a character is somebody who is drawn.")
    default = str(kinds.index(work.project.kind) + 1)
    kind = ask_for(_("What do the drawings teach?"), default, explained, lambda text: kinds[one_of(names, text)])
    return work.with_project(replace(work.project, kind=kind))


def _word(work: Work) -> Work:
    assert work.seen
    survey, base, project = work.seen.survey, work.seen.base, work.project

    def take(word: str) -> tuple[str, list[Problem]]:
        problems = check_word(word, tokenizer_of(base), [file.training_text for file in survey.captions])
        for problem in problems:
            if problem.severity is Severity.ERROR:
                raise BocetoError(problem.message, problem.remedy)
        return word, problems

    explained = _("Invent one that you can say: 5 to 10 small letters, such as “houtline”.")
    while True:
        word, problems = ask_for(_("Activation word"), project.activation_word, explained, take)
        say(*(f"{problem.message} {problem.remedy}" for problem in problems))
        with suppress(Back):
            if not problems or agreed(_("Keep this word?"), explained):
                named = replace(project, activation_word=word)
                return work.with_project(named).with_survey(survey.with_word(named, base))


def _base(work: Work) -> Work:
    chosen = Path(work.project.base).expanduser()
    bases = find.find([chosen] if chosen.is_absolute() else [])
    names, ids = [base.name for base in bases], [base.id for base in bases]
    say(*numbered(f"{base.name}. {_about(base)}" for base in bases))

    def take(text: str) -> Work:
        base = bases[one_of(names, text)] if text.isdecimal() or text in names else find.resolve(text)
        changed = work.with_project(replace(work.project, base=base.id))
        if work.seen is None or work.seen.base != base:
            changed = _looked(changed)
        assert changed.seen
        if not changed.seen.survey.usable(changed.project):
            raise BocetoError(_("No drawing is left to train on."))
        return changed

    default = str(ids.index(work.project.base) + 1) if work.project.base in ids else work.project.base
    explained = _("The LoRA works best on the base it was trained on, and less well on another family's.")
    another = _("Type a number, or the path of another SDXL model: a .safetensors file or a folder.")
    return ask_for(_("Base to train on"), default, f"{explained}\n{another}", take)


def _steps(work: Work) -> Work:
    plan, (settled, per_bucket, numbered) = work.project.plan, _settled(work)
    offers = suggestions(per_bucket, settled.batch_size, (settled.repeats, settled.epochs), numbered, settled.gpus)
    offered = [f"{offer.repeats} {offer.epochs} {offer.batch_size}" for offer in offers]
    now = f"{settled.repeats} {settled.epochs} {settled.batch_size}"
    default = str(offered.index(now) + 1) if now in offered else now
    for number, offer in enumerate(offers, 1):
        numbers = _("{repeats} repeats × {epochs} epochs, batch {batch_size}").format(
            repeats=offer.repeats, epochs=offer.epochs, batch_size=offer.batch_size
        )
        say(f"{number}. {numbers}: " + _("{n} steps").format(n=offer.real) + _(", each seen {n} times").format(
            n=offer.seen))  # fmt: skip

    def take(text: str) -> Plan:
        if text == default:
            return plan  # what is open stays open
        chosen = offered[one_of(offered, text)] if text.isdecimal() else text.replace(",", " ")
        try:
            repeats, epochs, batch_size = map(int, chosen.split())
        except ValueError:
            raise BocetoError(_("Type the number of a suggestion, or three numbers, such as 10 10 6.")) from None
        return with_choices(plan, {"repeats": repeats, "epochs": epochs, "batch_size": batch_size})

    helps = [
        f"{label(one.name)}: {_(one.help)}" for one in choices(Plan) if one.name in ("repeats", "epochs", "batch_size")
    ]
    guide = _("The guide aims for 300 to 500 steps: images × repeats ÷ batch size × epochs.")
    question = _("Number of a suggestion, or your own repeats, epochs and batch size")
    plan = ask_for(question, default, "\n".join([guide, *helps]), take)
    work = work.with_project(replace(work.project, plan=plan))
    settled, per_bucket, numbered = _settled(work)
    reckoned = count(per_bucket, settled.repeats, settled.batch_size, settled.epochs, numbered, settled.gpus)
    if reckoned.real < TARGET.start:
        say(_("Fewer than 300 steps: the LoRA may learn too little."))
    elif not reckoned.in_target:
        say(_("More than 500 steps: the LoRA may learn the drawings by heart."))
    say(reckoned.why)
    return work


def _optimizer(work: Work) -> Work:
    assert work.seen
    plan, names = work.project.plan, [optimizer_name(name) for name in OPTIMIZERS]
    recommended = recommend(len(work.seen.survey.usable(work.project)))
    known = plan.optimizer or recommended.optimizer
    star = ". " + _("recommended: ").capitalize() + recommended.reason
    say(*numbered(optimizer_name(name) + (star if name == recommended.optimizer else "") for name in OPTIMIZERS))

    def take(text: str) -> Work:
        name = OPTIMIZERS[one_of(names, text)]
        if missing := lacking(name):
            raise BocetoError(missing.words, missing.remedy)
        if name == known:
            return work
        # Arguments that were chosen for another go with it.
        changed = replace(plan, optimizer=name, **dict.fromkeys(ARGUMENTS))
        return work.with_project(replace(work.project, plan=changed))

    explained = _("The guide: AdamW8bit for many drawings, Prodigy for few. Their arguments belong together.")
    return ask_for(_("Optimizer"), str(OPTIMIZERS.index(known) + 1), explained, take)


def _review(work: Work) -> Work:
    assert work.place and work.seen
    say(_("Reckoning …"))
    frozen = freeze(work.place, work.project, work.seen.survey)
    say(*_summary(work, frozen))
    if not agreed(_("Start the training?"), _("You can close this window: the training goes on.")):
        raise Leave
    return replace(work, run=Run.create(work.place.runs, frozen))


QUESTIONS: tuple[tuple[str, Callable[[Work], Work]], ...] = (
    ("folder", _folder),
    ("folder", _name),
    ("drawings", _drawings),
    ("captions", _kind),
    ("captions", _word),
    ("base", _base),
    ("steps", _steps),
    ("optimizer", _optimizer),
    ("review", _review),
)
"""Each with the screen of the wizard that asks the same."""


# What the questions need to know.


def _about(base: Base) -> str:
    known = entry(base.id)
    return known.good_for() if known else _("Made for {native} × {native} pixels.").format(native=base.native)


def _looked(work: Work) -> Work:
    """The drawings as the project's base would see them, and told; they are read from the disk only once."""
    known, place = work.seen, work.place
    assert place
    try:
        base = find.resolve(work.project.base)
    except BocetoError as error:
        complain(error)
        base = find.resolve(find.best())
        work = work.with_project(replace(work.project, base=base.id))
    found: Iterable[Drawing | Problem] = _scanned(place, work.project)
    if known:
        found = (*known.survey.drawings, *known.survey.unreadable)
    survey = surveyed(place, work.project, base, list(found))
    settings = Settings.of(work.project, base)
    drawings = ngettext("{n} drawing", "{n} drawings", len(survey.drawings)).format(n=len(survey.drawings))
    used = _("{drawings}, {used} used").format(drawings=drawings, used=len(survey.usable(work.project)))
    say(f"{used} " + _("for {base}, {native} px").format(base=base.name, native=settings.native))
    say(*_left_out(survey.left_out(work.project)), *(problem.message for problem in survey.folder))
    return replace(work, seen=Seen(survey, base, settings))


def _scanned(place: Place, project: Project) -> Iterator[Drawing | Problem]:
    say(_("Looking at the drawings …"))
    number, due = 0, monotonic() + _NEWS_EVERY
    for batch in scan(place.dataset(project), Cancelled(), nested=project.nested):
        yield from batch
        number += len(batch)
        if monotonic() >= due:
            say(ngettext("{n} drawing looked at …", "{n} drawings looked at …", number).format(n=number))
            due = monotonic() + _NEWS_EVERY


def _left_out(problems: Iterable[Problem]) -> Iterator[str]:
    """What is left out and why: one line a drawing, and not too many."""
    reasons = {problem.drawing: problem.message for problem in problems}
    if reasons:
        yield ngettext("{n} is left out:", "{n} are left out:", len(reasons)).format(n=len(reasons))
    yield from (f"{name}: {reason}" for name, reason in list(reasons.items())[:_LISTED])
    if (more := len(reasons) - _LISTED) > 0:
        yield ngettext("and {n} more", "and {n} more", more).format(n=more)


def _settled(work: Work) -> tuple[Settled, list[int], list[int]]:
    """The plan with nothing left open, and what the calculator asks of each bucket (`dealt`)."""
    assert work.seen
    survey = work.seen.survey
    usable, plan = survey.usable(work.project), work.project.plan
    buckets = [survey.placements[index].bucket for index in usable]
    names = [survey.drawings[index].name for index in usable]
    settled, _reasons, held_out = settle(work.project, work.seen.base, buckets, names)
    trained = [place for place in range(len(usable)) if place not in held_out]
    numbers = [folder_repeats(plan, names[place]) for place in trained]
    return settled, *dealt([buckets[place] for place in trained], numbers)


def _summary(work: Work, frozen: FrozenPlan) -> Iterator[str]:
    """Everything on one page, every automatic choice with its reason."""
    assert work.seen
    rows, _steps = facts(frozen, work.project, work.seen.survey, pace.drawings_per_second(frozen.base), free_here())
    yield from (f"{name}: {value}" for name, value in rows)
    yield _("Chosen for you, and why") + ":"
    yield from (f"{label(one.field)}: {one.value} ({one.reason})" for one in frozen.reasons)
    if yours := [f"{label(name)}: {value}" for name, value in chosen_by_person(work.project)]:
        yield from (_("Chosen by you") + ":", *yours)


def _train(run: Run) -> int:
    """Launch the job, unless it runs, and tell how it goes until it ends, or until ctrl+c, which leaves it running."""
    lines, last = Lines(), None
    try:
        if not run.is_alive():
            launch(run)
        for event in follow(run):
            last = event
            lines.show(event)
    except KeyboardInterrupt:
        words = _("The job goes on without you. Watch it with `boceto attach {run}`, end it with `boceto stop {run}`.")
        say("", words.format(run=run.folder))
        return 0
    return status_of(last)
