"""Every choice is declared once, has words and limits, and comes back from its file as it was."""

import math
import string
from pathlib import Path

import msgspec
import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from core import toml
from core.errors import BocetoError
from core.images.buckets import Bucket
from core.images.treatment import Treatment
from core.plan.frozen import FrozenPlan
from core.plan.settle import Reason
from core.project import Project
from core.settings import Choice, Plan, choices
from tests.core.plan.plans import drawing, frozen, settled

CHOICES = {choice.name: choice for choice in choices(Plan)}
LIMITED = [choice for choice in CHOICES.values() if choice.least is not None or choice.most is not None]
# A path's text may hold anything but what no file name can.
text = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=20)


def load(folder: Path, **plan: object) -> Plan:
    """A project's plan as it comes back from a file a person wrote."""
    path = folder / "project.toml"
    path.write_text(tomli_w.dumps({"name": "small", "plan": plan}), "utf-8")
    return toml.load(path, Project).plan


def some(choice: Choice) -> st.SearchStrategy:
    """Values that a choice may have."""
    if choice.kind == "one of":
        return st.sampled_from(choice.options)
    if choice.kind == "pair":
        return st.tuples(st.floats(0, 0.999), st.floats(0, 0.999))
    if choice.kind == "list":
        return st.lists(text, max_size=3).map(tuple)
    if choice.kind is bool:
        return st.booleans()
    if choice.kind is str:
        return text
    if choice.kind is int:
        return st.integers(int(choice.least or 0), int(choice.most or 1000))
    return st.floats(choice.least or 0, choice.most or 1e6, exclude_min=choice.least == 0).filter(bool)


plans = st.fixed_dictionaries({}, optional={name: some(choice) for name, choice in CHOICES.items()}).map(
    lambda chosen: msgspec.convert(chosen, Plan)
)


@pytest.mark.parametrize("name", Plan.__struct_fields__)
def test_every_choice_has_a_sentence_of_help(name):
    words = CHOICES[name].help
    assert len(words) > 15
    assert words[0] in string.ascii_uppercase and words.endswith(".")


def test_choices_tell_what_a_form_needs_to_know():
    assert list(CHOICES) == list(Plan.__struct_fields__)
    assert CHOICES["batch_size"] == Choice("batch_size", int, 6, CHOICES["batch_size"].help, least=1, most=64)
    assert CHOICES["learning_rate"].kind is float and CHOICES["learning_rate"].default is None
    assert CHOICES["optimizer"].kind == "one of"
    assert CHOICES["optimizer"].options == ("adamw8bit", "prodigy", "adamw")
    assert CHOICES["text_encoders"].kind is bool
    assert CHOICES["betas"].kind == "pair"
    assert CHOICES["preview_prompts"].kind == "list"


def test_the_defaults_are_within_their_limits():
    assert msgspec.convert(msgspec.to_builtins(Plan()), Plan) == Plan()


@pytest.mark.parametrize("choice", LIMITED, ids=lambda choice: choice.name)
def test_a_value_outside_its_limits_is_refused_by_the_name_of_its_field(tmp_path, choice):
    outside = [limit for limit in ((choice.least or 0) - 1, choice.most and choice.most * 2 + 1) if limit is not None]
    if choice.name == "seed":
        outside = [-1, 2**63]
    for value in outside:
        wrong = int(value) if choice.kind is int else float(value)
        with pytest.raises(BocetoError) as raised:
            load(tmp_path, **{choice.name: wrong})
        assert choice.name in raised.value.detail, raised.value.detail
        assert "project.toml" in raised.value.title and raised.value.hint


@pytest.mark.parametrize("choice", LIMITED, ids=lambda choice: choice.name)
def test_the_limits_themselves_are_allowed_or_named_as_excluded(tmp_path, choice):
    for limit in (choice.least, choice.most):
        if limit is None:
            continue
        value = int(limit) if choice.kind is int else float(limit)
        try:
            assert getattr(load(tmp_path, **{choice.name: value}), choice.name) == value
        except BocetoError as error:
            assert f"> {value}" in error.detail and value == 0


@pytest.mark.parametrize(
    "choice", [choice for choice in CHOICES.values() if choice.kind is float], ids=lambda choice: choice.name
)
def test_what_is_not_a_number_is_no_number(tmp_path, choice):
    """TOML can say nan; no limit is above or below it, and a training with it comes apart."""
    with pytest.raises(BocetoError) as raised:
        load(tmp_path, **{choice.name: math.nan})
    assert choice.name in f"{raised.value}"


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("repeats", "ten"),
        ("repeats", 2.5),
        ("repeats", True),
        ("optimizer", "sgd"),
        ("text_encoders", 1),
        ("betas", [0.9]),
        ("betas", [0.9, 1.0]),
        ("preview_prompts", "a cat"),
        ("preview_prompts", [1]),
        ("save_precision", "fp8"),
        ("learning_rate", "1e-4"),
    ],
)
def test_a_value_of_another_kind_is_refused_by_the_name_of_its_field(tmp_path, name, wrong):
    with pytest.raises(BocetoError) as raised:
        load(tmp_path, **{name: wrong})
    assert name in raised.value.detail


def test_a_field_nobody_knows_is_refused_by_its_name(tmp_path):
    with pytest.raises(BocetoError, match="could not be read") as raised:
        load(tmp_path, learningrate=1e-4)
    assert "learningrate" in raised.value.detail


def test_a_whole_number_will_do_where_a_broken_one_is_meant(tmp_path):
    assert load(tmp_path, learning_rate=1).learning_rate == 1.0


@pytest.mark.parametrize("content", [b"name = ", b"\xff\xfe", b"name = 'x'\nname = 'y'", b"plan = 3\nname='x'", b""])
def test_a_damaged_file_is_told_with_its_name(tmp_path, content):
    (tmp_path / "project.toml").write_bytes(content)
    with pytest.raises(BocetoError, match=r"project\.toml") as raised:
        toml.load(tmp_path / "project.toml", Project)
    assert raised.value.detail


def test_a_file_that_is_not_there_is_told_with_its_name(tmp_path):
    with pytest.raises(BocetoError, match=r"nothing\.toml.* does not exist"):
        toml.load(tmp_path / "nothing.toml", Project)


quick = settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@quick
@given(plans)
def test_a_plan_comes_back_as_it_was(tmp_path, plan):
    toml.save(tmp_path / "plan.toml", plan)
    assert toml.load(tmp_path / "plan.toml", Plan) == plan


@quick
@given(
    plans,
    st.text(min_size=1).filter(lambda name: name.encode("utf-8", "ignore").decode() == name),
    text,
    st.dictionaries(text, st.sampled_from([Treatment(), Treatment("#a0b0c0", "pad", True), Treatment(excluded=False)])),
    st.booleans(),
)
def test_a_project_comes_back_as_it_was(tmp_path, plan, name, word, treatments, nested):
    project = Project(
        name=name, activation_word=word, dataset=word, treatments=treatments, nested=nested, plan=plan, kind="character"
    )
    toml.save(tmp_path / "project.toml", project)
    assert toml.load(tmp_path / "project.toml", Project) == project


@quick
@given(st.lists(text, min_size=1, max_size=4), text, st.floats(0, 1), st.floats(1e-12, 1e3))
def test_a_frozen_plan_comes_back_as_it_was(tmp_path, captions, reason, number, enlargement):
    drawings = [drawing(index, Bucket(64, 80), caption) for index, caption in enumerate(captions)]
    drawings[0] = replace(
        drawings[0], placement=replace(drawings[0].placement, cropped=number, enlargement=enlargement)
    )
    plan = frozen(settled(caption_dropout=number, d0=None, time_budget=enlargement), drawings)
    plan = replace(plan, reasons=(Reason("precision", "fp32", reason),))
    toml.save(tmp_path / "frozen.toml", plan)
    assert toml.load(tmp_path / "frozen.toml", FrozenPlan) == plan
    assert toml.head(tmp_path / "frozen.toml")["output"] == plan.output
