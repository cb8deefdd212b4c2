import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import core.bases.mini
from core.captions.tokens import CHUNK, Tokenizer, check_tokens
from core.errors import BocetoError

MODEL = Path(core.bases.mini.__file__).parent / "model"
NAMES = ("tokenizer", "tokenizer_2")
OURS = {name: Tokenizer.open(MODEL / name) for name in NAMES}

ODD = [
    "",
    " ",
    "houtline, a cat",
    "HOUTLINE, A Cat",
    "it's we'll I'd they've 'tis",
    "<|endoftext|>",
    "a<|startoftext|>b <|endoftext|>c",
    "<|ENDOFTEXT|> <|StartOfText|>",
    "!",
    "wow!!! really ! no!yes",
    "naïve café ÉCOLE cafe\u0301 ﬁ Å \u212b",
    "İstanbul ıI ẞß ǅ Σίσυφος",
    "日本語の絵, 木、花。",
    "한국어 \u1112\u1161\u11ab",
    "العربية עברית हिन्दी ไทย",
    "🌳👩‍🎨🏳️‍🌈 👍🏽",
    "tab\there\nnew\r\nline\x0bvertical\x0cfeed",
    "\u00a0non\u2003breaking\u3000wide\u2028line",
    "\x00\x01\x1b[31mred\x7f\x85",
    "1girl, 2024, ½ ² Ⅷ ٣",
    "^_^, >_<, o_o, :3, \\(o\\), {a|b}, |||, (word:1.2)",
    "under_score-dash/slash\\back",
    "e\u0301\u0301\u0301" * 20,
    "a" * 400,
    "long, " * 200,
    "🌳" * 120,
    "\ufeffbom \u200bzero\u200dwidth\u202e",
]
texts = st.lists(
    st.sampled_from(["cat", "Houtline", " ", ", ", "!", "<|endoftext|>", "'s", "é", "🌳", "木", "7", "\n"])
    | st.text(max_size=4),
    max_size=120,
).map("".join)


@pytest.fixture(scope="module")
def clip():
    from transformers import CLIPTokenizer

    return CLIPTokenizer.from_pretrained


@pytest.fixture(scope="module")
def theirs(clip):
    return {name: clip(MODEL / name) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_tokens_are_those_of_transformers(theirs, name):
    random_pairs = [one[: len(one) // 2] + other for one in ODD for other in ODD]
    for text in [*ODD, *random_pairs]:
        assert OURS[name].pieces(text) == theirs[name].tokenize(text)
        assert OURS[name].ids(text) == theirs[name](text, add_special_tokens=False).input_ids
        assert OURS[name].count(text) == len(OURS[name].ids(text))


@settings(deadline=None)
@given(texts)
def test_any_text_has_the_tokens_of_transformers(theirs, text):
    for name in NAMES:
        assert OURS[name].ids(text) == theirs[name](text, add_special_tokens=False).input_ids


@settings(deadline=None)
@given(texts)
def test_one_chunk_is_what_diffusers_feeds(theirs, text):
    for name in NAMES:
        fed = theirs[name](text, padding="max_length", max_length=77, truncation=True).input_ids
        assert OURS[name].chunks(text, most=1).ids == [fed]


def sd_scripts_chunks(tokenizer, text: str, most: int) -> list[list[int]]:
    """Chunks as sd-scripts makes them, always `most` of them (`_get_input_ids`)."""
    whole = tokenizer(text, padding="max_length", truncation=True, max_length=CHUNK * most + 2).input_ids
    bos, eos, pad = tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id
    chunks = []
    for start in range(1, CHUNK * most + 1, CHUNK):
        chunk = [bos, *whole[start : start + CHUNK], whole[-1]]
        if pad != eos:
            if chunk[-2] not in (eos, pad):
                chunk[-1] = eos
            if chunk[1] == pad:
                chunk[1] = eos
        chunks.append(chunk)
    return chunks


@settings(deadline=None)
@given(st.integers(0, 240), st.integers(1, 3))
def test_chunks_are_those_of_sd_scripts(theirs, words, most):
    # No "!" here: sd-scripts would take SDXL's second tokenizer's "!" at a chunk's edge for padding.
    text = "cat, " * (words // 2) + "cat" * (words % 2)
    for name in NAMES:
        ids = OURS[name].chunks(text, most).ids
        empty = OURS[name].chunks("").ids
        assert ids + empty * (most - len(ids)) == sd_scripts_chunks(theirs[name], text, most)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("text", ODD)
def test_chunks_and_what_is_lost_make_up_the_caption(name, text):
    ours = OURS[name]
    for most in (1, 2, 3):
        chunks = ours.chunks(text, most)
        assert all(len(chunk) == CHUNK + 2 for chunk in chunks.ids)
        assert len(chunks.ids) <= most
        assert text.endswith(chunks.lost)
        assert bool(chunks.lost) == (ours.count(text) > CHUNK * most)


def test_what_is_cut_is_said_as_it_was_written():
    tokenizer = OURS["tokenizer"]
    caption = "Cat, " * 37 + "Cat, Red  HAIR, Árbol"
    assert tokenizer.chunks(caption, most=1).lost == ", Red  HAIR, Árbol"
    problem = check_tokens(caption, tokenizer, most=1, drawing="tree.png")
    assert problem is not None
    assert (problem.code, problem.drawing) == ("caption-too-long", "tree.png")
    assert "“, Red  HAIR, Árbol”" in problem.message
    assert check_tokens(caption, tokenizer, most=2) is None
    assert check_tokens("Cat, " * 37 + "Cat  ", tokenizer, most=1) is None


def test_the_two_tokenizers_pad_differently():
    assert OURS["tokenizer"].chunks("cat").ids[0][-1] == OURS["tokenizer"].end
    assert OURS["tokenizer_2"].chunks("cat").ids[0][-1] == 0


def test_half_characters_from_a_terminal_do_not_stop_the_work():
    assert OURS["tokenizer"].count("cat \udce9 tree") > 2


SPECIAL = {"lstrip": False, "normalized": True, "rstrip": False, "single_word": False}
BEGINNING, END = ({"content": content, **SPECIAL} for content in ("<|startoftext|>", "<|endoftext|>"))


def as_sdxl_ships(folder: Path, pad: str) -> None:
    """The files of stabilityai/stable-diffusion-xl-base-1.0: no tokenizer.json, tokens as records."""
    (folder / "tokenizer.json").unlink()
    named = {"bos_token": BEGINNING, "eos_token": END, "unk_token": END, "pad_token": pad}
    (folder / "special_tokens_map.json").write_text(json.dumps(named))
    typed = {name: {"__type": "AddedToken", **one} if isinstance(one, dict) else one for name, one in named.items()}
    # Only the map says what pads: both files are needed.
    del typed["pad_token"]
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "CLIPTokenizer", **typed}))


def as_later_bases_ship(folder: Path, pad: str) -> None:
    """As diffusers folders of 2024 have them: the tokens listed by number in the config."""
    (folder / "tokenizer.json").unlink()
    ids = json.loads((folder / "vocab.json").read_text())
    listed = {
        str(ids[one["content"]]): {**one, "special": True}
        for one in (BEGINNING, END, {**SPECIAL, "content": "!", "normalized": False})
        if one["content"] in ("<|startoftext|>", "<|endoftext|>", pad)
    }
    names = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"}
    config = {"tokenizer_class": "CLIPTokenizer", "added_tokens_decoder": listed, "pad_token": pad, **names}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))


def as_transformers_5_saves(folder: Path, pad: str) -> None:
    """The one file of today's `save_pretrained`."""
    for name in ("vocab.json", "merges.txt", "special_tokens_map.json"):
        (folder / name).unlink()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("ship", [as_sdxl_ships, as_later_bases_ship, as_transformers_5_saves])
def test_every_layout_of_a_tokenizer_folder_gives_the_same_tokens(clip, tmp_path, name, ship):
    folder = tmp_path / name
    shutil.copytree(MODEL / name, folder)
    ship(folder, "!" if name == "tokenizer_2" else "<|endoftext|>")
    ours, theirs = Tokenizer.open(folder), clip(folder)
    assert (ours.beginning, ours.end, ours.padding) == (theirs.bos_token_id, theirs.eos_token_id, theirs.pad_token_id)
    for text in ODD:
        assert ours.ids(text) == theirs(text, add_special_tokens=False).input_ids


def test_a_base_without_a_tokenizer_is_refused_in_words(tmp_path):
    for broken in (tmp_path / "none", tmp_path):
        with pytest.raises(BocetoError) as refusal:
            Tokenizer.open(broken)
        assert refusal.value.hint
        (tmp_path / "vocab.json").write_text("{")
        (tmp_path / "merges.txt").write_text("")


def test_captions_load_no_training_library():
    code = (
        "import sys, core.captions.activation, core.captions.store, core.plan.steps\n"
        "print({'torch', 'transformers', 'diffusers', 'peft'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
