"""A plan for sd-scripts: what its own reader accepts, what comes back from it, and what is never overwritten."""

import ast
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from msgspec.structs import replace
from PIL import Image

from core.errors import BocetoError
from core.images.treatment import Treatment
from core.kohya.export import DATASET, DRAWINGS, PROMPTS, TRAINING, export
from core.kohya.read import read
from core.kohya.terms import TERMS
from core.plan.frozen import FrozenPlan, freeze
from core.project import Place, Project
from core.settings import Choice, Plan, Settled, choices
from tests.conftest import SHORT, small_project
from tests.core.kohya import sd_scripts
from tests.core.plan.plans import settled


@pytest.fixture
def small(tmp_path: Path) -> tuple[Place, Project]:
    return small_project(tmp_path / "small")


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> FrozenPlan:
    return freeze(*small_project(tmp_path_factory.mktemp("module") / "small"))


def values(choice: Choice) -> some.SearchStrategy[Any]:
    """Any value of a choice that a settled plan could hold."""
    least, most = choice.least or 0, choice.most if choice.most is not None else 1000
    if choice.name == "repeats":  # the schedule is laid out: no minutes for it
        return some.integers(1, 3)
    if choice.name == "epochs":
        return some.integers(1, 3)
    if choice.name in ("init_lora", "regularisation"):
        return some.just("")
    match choice.kind:
        case "one of":
            return some.sampled_from(choice.options)
        case "list":
            return some.lists(some.text(max_size=20), max_size=3).map(tuple)
        case "pair":
            share = some.floats(0, 0.999)
            return some.tuples(share, share)
        case kind if kind is bool:
            return some.booleans()
        case kind if kind is int:
            return some.integers(int(least), int(most))
        case _:
            return some.floats(least + 1e-6, min(most, max(0.999, 2 * least)))


PLANS = some.fixed_dictionaries(
    {choice.name: values(choice) for choice in choices(Plan) if choice.name != "resolution"}
)


@given(chosen=PLANS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_plan_is_accepted_and_comes_back_whole(
    chosen: dict[str, Any], frozen: FrozenPlan, tmp_path_factory: pytest.TempPathFactory
) -> None:
    if chosen["optimizer"] == "prodigy":
        chosen["text_encoder_rate"] = chosen["learning_rate"]
    else:
        chosen["d_coef"] = chosen["d0"] = None
    if not chosen["conv_rank"]:
        chosen["conv_alpha"] = None
    plan = msgspec.convert({**msgspec.structs.asdict(frozen.plan), **chosen}, Settled)
    plan = replace(
        plan, preview_prompts=tuple(text.encode("utf-8", "ignore").decode() for text in plan.preview_prompts)
    )
    folder = tmp_path_factory.mktemp("out")
    export(replace(frozen, plan=plan), folder)
    sd_scripts.training(folder / TRAINING)
    sd_scripts.dataset(folder / DATASET)
    found = read(folder)
    before, after = msgspec.structs.asdict(plan), msgspec.structs.asdict(found.plan())
    assert {name: (before[name], after[name]) for name in before if before[name] != after[name]} == {}
    assert found.answers == {
        "name": "small",
        "activation_word": "houtline",
        "kind": "style",
        "base": "mini",
        "dataset": frozen.dataset,
        "nested": False,
    }


def test_every_term_is_a_choice_of_the_plan() -> None:
    assert {term.field for term in TERMS} <= set(Plan.__struct_fields__)
    assert len({term.key for term in TERMS}) == len(TERMS)


def test_choices_are_written_in_the_words_and_kinds_of_sd_scripts(frozen: FrozenPlan, tmp_path: Path) -> None:
    plan = settled(optimizer="prodigy", rank=16, conv_rank=8, text_encoders=True, caption_chunks=2, resolution=1024)
    export(replace(frozen, plan=replace(plan, held_out=2, keep_last=3, save_every_steps=50)), tmp_path)
    told, drawings = sd_scripts.training(tmp_path / TRAINING), sd_scripts.dataset(tmp_path / DATASET)
    assert told["network_args"] == ["conv_dim=8", "conv_alpha=8.0"]
    arguments = dict(argument.split("=") for argument in told["optimizer_args"])
    assert {name: ast.literal_eval(value) for name, value in arguments.items()} == {
        "weight_decay": 0.01,
        "betas": [0.9, 0.999],
        "d_coef": 2.0,
        "d0": 1e-5,
        "decouple": True,
        "use_bias_correction": True,
        "safeguard_warmup": True,
    }
    # Two rates that differ are an error in prodigyopt.
    assert told["unet_lr"] == told["text_encoder_lr"] == told["learning_rate"] == 1.0
    assert told["network_train_unet_only"] is False
    assert told["resolution"] == "1024,1024" and drawings["general"]["resolution"] == 1024
    assert (drawings["general"]["min_bucket_reso"], drawings["general"]["max_bucket_reso"]) == (512, 2048)
    assert drawings["general"]["bucket_reso_steps"] == 64
    assert told["max_token_length"] == 150
    # sd-scripts removes step − n − 1, down to a whole fifty: of 200 that is 50, and 100, 150 and 200 stay.
    removed = 200 - told["save_last_n_steps"] - 1
    assert removed - removed % 50 == 50 and told["save_last_n_epochs"] == 3


@pytest.mark.parametrize("held_out", range(1, 7))
def test_as_many_drawings_are_held_out_there(held_out: int, frozen: FrozenPlan, tmp_path: Path) -> None:
    export(replace(frozen, plan=replace(frozen.plan, held_out=held_out)), tmp_path)
    share, count = sd_scripts.training(tmp_path / TRAINING)["validation_split"], len(frozen.drawings)
    assert -(-(count * (1 - share)) // 1) == count - held_out  # its `math.ceil`
    assert round(count * share) == held_out


def test_a_constant_rate_with_a_warm_up_is_no_error_there(frozen: FrozenPlan, tmp_path: Path) -> None:
    export(replace(frozen, plan=settled(scheduler="constant", warmup=0.1)), tmp_path)
    assert sd_scripts.training(tmp_path / TRAINING)["lr_scheduler"] == "constant_with_warmup"
    assert read(tmp_path).choices["scheduler"] == "constant" and read(tmp_path).choices["warmup"] == 0.1


def test_a_change_by_hand_counts(frozen: FrozenPlan, tmp_path: Path) -> None:
    export(frozen, tmp_path)
    for name, before, after in (
        (TRAINING, "network_dim = 4", "network_dim = 32"),
        (TRAINING, 'mixed_precision = "bf16"', 'mixed_precision = "fp16"'),
        (DATASET, "num_repeats = 2", "num_repeats = 7"),
    ):
        file = tmp_path / name
        assert before in file.read_text()
        file.write_text(file.read_text().replace(before, after))
    plan = read(tmp_path).plan()
    assert (plan.rank, plan.precision, plan.repeats) == (32, "fp16", 7)


def test_folders_below_are_subsets_with_their_own_repeats(small: tuple[Place, Project], tmp_path: Path) -> None:
    place, project = small
    dataset = place.dataset(project)
    for folder, names in (("5_hands", sorted(dataset.glob("*"))[:4]), ("more", sorted(dataset.glob("*"))[4:8])):
        (dataset / folder).mkdir()
        for path in names:
            shutil.move(path, dataset / folder / path.name)
    frozen = freeze(place, replace(project, nested=True, plan=replace(SHORT, held_out=0)))
    done = export(frozen, tmp_path / "out")
    subsets = sd_scripts.dataset(tmp_path / "out" / DATASET)["datasets"][0]["subsets"]
    assert [(Path(one["image_dir"]).name, one["num_repeats"]) for one in subsets] == [
        ("dataset", 2),
        ("5_hands", 5),
        ("more", 2),
    ]
    assert not [problem for problem in done.problems if problem.code == "left-out"]
    found = read(tmp_path / "out")
    assert found.plan() == msgspec.convert(msgspec.structs.asdict(frozen.plan), Plan)
    assert (found.answers["dataset"], found.answers["nested"]) == (str(dataset), True)
    assert not [problem for problem in found.problems if problem.code == "repeats"]


def test_what_sd_scripts_does_otherwise_is_said(small: tuple[Place, Project], tmp_path: Path) -> None:
    place, project = small
    dataset = place.dataset(project)
    names = sorted(path.name for path in dataset.glob("*.png"))
    (dataset / names[0]).with_suffix(".txt").write_text("")
    (dataset / names[1]).with_suffix(".txt").write_text("cow face")
    Image.effect_noise((80, 80), 90).save(dataset / "scan.tiff")
    treatments = {names[2]: Treatment(excluded=True), names[3]: Treatment(fit="pad")}
    frozen = freeze(place, replace(project, treatments=treatments, plan=replace(SHORT, held_out=0)))
    codes = {problem.code: problem for problem in export(frozen, tmp_path / "out").problems}
    assert {"base", "prior-pictures", "left-out", "empty-captions", "captions", "padded", "unread"} <= set(codes)
    assert names[2] in codes["left-out"].message and names[0] in codes["empty-captions"].message
    assert names[1] in codes["captions"].message and "scan.tiff" in codes["unread"].message
    text = (tmp_path / "out" / TRAINING).read_text()
    assert all(line.startswith("# ") for line in text.partition("\n\n")[0].splitlines())
    written = " ".join(line.removeprefix("# ") for line in text.partition("\n\n")[0].splitlines())
    for problem in codes.values():
        assert problem.message in written
    # Written anew, all of it is as the training sees it.
    copied = export(frozen, tmp_path / "copied", copy=True)
    assert {problem.code for problem in copied.problems} <= {"base", "prior-pictures", "names"}


def test_a_copy_holds_the_drawings_as_they_are_trained(small: tuple[Place, Project], tmp_path: Path) -> None:
    place, project = small
    dataset = place.dataset(project)
    names = sorted(path.name for path in dataset.glob("*.png"))
    turned = Image.new("RGBA", (40, 80), (255, 0, 0, 0))
    turned.paste((0, 0, 255, 255), (0, 0, 40, 10))
    exif = Image.Exif()
    exif[0x0112] = 6  # shown a quarter turned
    turned.save(dataset / names[0], exif=exif)
    (dataset / names[0]).with_suffix(".txt").write_text("first line\nsecond line")
    treatments = {names[0]: Treatment(background="#00ff00"), names[1]: Treatment(fit="pad")}
    frozen = freeze(place, replace(project, treatments=treatments, plan=replace(SHORT, held_out=1)))
    held_out = {drawing.name for drawing in frozen.drawings if drawing.held_out}
    before = {path: path.read_bytes() for path in dataset.iterdir()}
    out = tmp_path / "out"
    export(frozen, out, copy=True)
    config = sd_scripts.dataset(out / DATASET)
    assert config["datasets"][0]["subsets"][0]["image_dir"] == str(out / DRAWINGS)
    assert {path.name for path in (out / DRAWINGS).glob("*.png")} == set(names) - held_out
    if names[0] not in held_out:
        with Image.open(out / DRAWINGS / names[0]) as image:
            assert (image.size, image.mode) == ((80, 40), "RGB")
            assert (image.getpixel((5, 20)), image.getpixel((75, 20))) == ((0, 255, 0), (0, 0, 255))
        caption = (out / DRAWINGS / names[0]).with_suffix(".txt").read_text()
        assert caption == "houtline, first line, second line\n"
    assert "validation_split" not in sd_scripts.training(out / TRAINING)
    # Again, with fewer drawings and something that is not ours.
    (out / DRAWINGS / "mine.png").write_bytes(b"mine")
    fewer = replace(frozen, drawings=frozen.drawings[2:])
    export(fewer, out, copy=True)
    left = {path.name for path in (out / DRAWINGS).glob("*.png")}
    assert left == {drawing.name for drawing in fewer.trained} | {"mine.png"}
    assert {path: path.read_bytes() for path in dataset.iterdir()} == before


def test_nothing_that_boceto_did_not_write_is_overwritten(frozen: FrozenPlan, tmp_path: Path) -> None:
    for name in (TRAINING, DATASET, PROMPTS):
        folder = tmp_path / name.replace(".", "-")
        folder.mkdir()
        (folder / name).write_text("theirs = 1\n")
        with pytest.raises(BocetoError, match="did not write it"):
            export(frozen, folder)
        assert [path.name for path in folder.iterdir()] == [name]
        assert (folder / name).read_text() == "theirs = 1\n"
    (tmp_path / "copy" / DRAWINGS).mkdir(parents=True)
    with pytest.raises(BocetoError, match="did not write it"):
        export(frozen, tmp_path / "copy", copy=True)
    export(frozen, tmp_path / "ours")
    export(frozen, tmp_path / "ours")


def test_prompts_are_one_a_line_whatever_they_hold(frozen: FrozenPlan, tmp_path: Path) -> None:
    plan = replace(frozen.plan, preview_every=1, preview_prompts=("a cat", "# no\ncomment", "trick --s 1", " "))
    export(replace(frozen, plan=plan), tmp_path)
    lines = (tmp_path / PROMPTS).read_text().splitlines()[1:]
    assert len(lines) == 4 and not [line for line in lines if line.startswith("#")]
    for line in lines:
        prompt, *options = line.split(" --")  # as its `line_to_prompt_dict` does
        assert prompt and [option.split()[0] for option in options] == ["w", "h", "s", "l", "d"]
    assert sd_scripts.training(tmp_path / TRAINING)["sample_prompts"] == str(tmp_path / PROMPTS)
    assert read(tmp_path).choices["preview_prompts"] == plan.preview_prompts


def test_masks_from_transparency_go_there_and_come_back(small: tuple[Place, Project], tmp_path: Path) -> None:
    place, project = small
    name = sorted(path.name for path in place.dataset(project).glob("*.png"))[0]
    half = Image.new("RGBA", (80, 40), (255, 0, 0, 255))
    half.paste((0, 255, 0, 0), (40, 0, 80, 40))
    half.save(place.dataset(project) / name)
    treatments = {name: Treatment(fit="pad", background="#0000ff")}
    frozen = freeze(place, replace(project, treatments=treatments, plan=replace(SHORT, masked_loss=True, held_out=0)))
    export(frozen, tmp_path / "out", copy=True)
    assert sd_scripts.training(tmp_path / "out" / TRAINING)["masked_loss"] is True
    config = sd_scripts.dataset(tmp_path / "out" / DATASET)
    assert all(subset["alpha_mask"] is True for subset in config["datasets"][0]["subsets"])
    assert read(tmp_path / "out").choices["masked_loss"] is True
    with Image.open(tmp_path / "out" / DRAWINGS / name) as image:
        alpha = image.getchannel("A")
        middle = image.height // 2
        assert (alpha.getpixel((10, middle)), alpha.getpixel((70, middle))) == (255, 0)
        # What sd-scripts reads as colour is what is trained here: the paper, and not what hides under it.
        assert image.convert("RGB").getpixel((70, middle)) == (0, 0, 255)
    export(replace(frozen, plan=replace(frozen.plan, masked_loss=False)), tmp_path / "plain")
    assert read(tmp_path / "plain").choices["masked_loss"] is False


def test_masks_in_a_folder_of_their_own_are_said_to_be_passed_over(frozen: FrozenPlan, tmp_path: Path) -> None:
    export(frozen, tmp_path)
    file = tmp_path / TRAINING
    file.write_text(file.read_text().replace('loss_type = "l2"', 'loss_type = "l2"\nmasked_loss = true'))
    found = read(tmp_path)
    assert found.choices["masked_loss"] is False
    assert "masks" in {problem.code for problem in found.problems}


def test_a_dora_is_one_of_lycoris_there_and_comes_back(frozen: FrozenPlan, tmp_path: Path) -> None:
    done = export(replace(frozen, plan=replace(frozen.plan, dora=True)), tmp_path)
    told = sd_scripts.training(tmp_path / TRAINING)
    assert told["network_module"] == "lycoris.kohya"
    assert told["network_args"] == ["algo=lora", "preset=attn-mlp", "dora_wd=True", "wd_on_output=True"]
    assert read(tmp_path).choices["dora"] is True
    assert "dora" in {problem.code for problem in done.problems}


def test_ranks_of_parts_are_ranks_of_blocks_there_and_come_back(frozen: FrozenPlan, tmp_path: Path) -> None:
    plan = replace(frozen.plan, down_rank=0, up_rank=12, text_encoders=True, text_encoder_rank=3)
    done = export(replace(frozen, plan=plan), tmp_path)
    told = sd_scripts.training(tmp_path / TRAINING)
    assert told["network_module"] == "networks.lora"
    assert told["network_args"][0] == "block_dims=" + ",".join(["0"] * 10 + ["4"] * 3 + ["12"] * 9 + ["0"])
    found = read(tmp_path)
    assert found.plan().up_rank == 12 and found.plan().mid_rank is None and found.plan().text_encoder_rank == 3
    assert not {"blocks", "block-alphas"} & {problem.code for problem in found.problems}
    assert "text-encoder-rank" in {problem.code for problem in done.problems}
    # By hand, in the words of sd-scripts alone.
    file = tmp_path / TRAINING
    lines = [line for line in file.read_text().splitlines() if not line.startswith("boceto_")]
    text = "\n".join(lines).replace(",12,12,12,12,12,12,12,12,12,0", ",8,8,8,8,8,8,8,8,8,0")
    text = text.replace("network_args = [", 'network_args = ["block_alphas=' + ",".join(["1"] * 23) + '",')
    file.write_text(text)
    found = read(tmp_path)
    assert (found.plan().down_rank, found.plan().mid_rank, found.plan().up_rank) == (0, None, 8)
    assert "block-alphas" in {problem.code for problem in found.problems}


def test_attention_alone_is_a_preset_of_lycoris_there(frozen: FrozenPlan, tmp_path: Path) -> None:
    done = export(replace(frozen, plan=replace(frozen.plan, layers="attn-only", up_rank=2)), tmp_path)
    told = sd_scripts.training(tmp_path / TRAINING)
    assert told["network_args"] == ["algo=lora", "preset=attn-only"]
    assert {"parts"} <= {problem.code for problem in done.problems}
    assert (read(tmp_path).choices["layers"], read(tmp_path).choices["up_rank"]) == ("attn-only", 2)


def test_regularisation_drawings_are_a_subset_there_and_come_back(small: tuple[Place, Project], tmp_path: Path) -> None:
    place, project = small
    (tmp_path / "others").mkdir()
    Image.effect_noise((80, 80), 90).save(tmp_path / "others" / "a.png")
    plan = replace(SHORT, regularisation=str(tmp_path / "others"), prior_pictures=2, held_out=0)
    frozen = freeze(place, replace(project, plan=plan))
    done = export(frozen, tmp_path / "out")
    *_own, last = sd_scripts.dataset(tmp_path / "out" / DATASET)["datasets"][0]["subsets"]
    assert last == {"image_dir": str(tmp_path / "others"), "num_repeats": 1, "is_reg": True}
    codes = {problem.code for problem in done.problems}
    assert "regularisation" in codes and "prior-pictures" not in codes
    found = read(tmp_path / "out")
    assert found.plan() == msgspec.convert(msgspec.structs.asdict(frozen.plan), Plan)
    assert found.answers["dataset"] == str(place.dataset(project))
