"""Every choice that shapes a training, declared once: type, default, limits and help.

The command line, the forms and the TOML files are made from these declarations (`choices`).
"""

import ast
import inspect
import textwrap
from functools import cache
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct

OptimizerName = Literal["adamw8bit", "prodigy", "adamw"]
SchedulerName = Literal["constant", "cosine", "cosine_with_restarts", "linear", "polynomial"]
Layers = Literal["attn-mlp", "attn-only"]
Precision = Literal["auto", "fp32", "bf16", "fp16"]
GearChoice = Literal["auto", "eager", "compiled", "graphs"]


class Plan(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything that shapes a training, as the artist chose it; what is None is settled before the run."""

    repeats: Annotated[int, Meta(ge=1, le=500)] | None = None
    """How many times each drawing is seen in one epoch. Left out: what makes 300 to 500 steps."""
    folder_repeats: bool = True
    """Drawings in a folder that is called like “10_hands” are seen 10 times in one epoch, whatever the repeats."""
    epochs: Annotated[int, Meta(ge=1, le=500)] | None = None
    """How many times the training goes through all repeats. Left out: what makes 300 to 500 steps."""
    batch_size: Annotated[int, Meta(ge=1, le=64)] = 6
    """How many drawings one step looks at together. More is faster and takes more memory."""
    gpus: Annotated[int, Meta(ge=1, le=1024)] = 1
    """How many GPUs train together. Each looks at a batch of its own, so a step sees so many times the batch size."""

    optimizer: OptimizerName | None = None
    """What moves the weights: AdamW8bit for many drawings, Prodigy for few, AdamW where neither runs."""
    learning_rate: Annotated[float, Meta(gt=0, le=10)] | None = None
    """How far one step moves the weights. Prodigy finds its own pace and wants 1. Left out: the optimizer's own."""
    text_encoder_rate: Annotated[float, Meta(gt=0, le=10)] | None = None
    """The same for the text encoders, when they are trained. Prodigy has one rate for all."""
    weight_decay: Annotated[float, Meta(ge=0, le=1)] | None = None
    """How strongly weights are pulled back to zero."""
    betas: tuple[Annotated[float, Meta(ge=0, lt=1)], Annotated[float, Meta(ge=0, lt=1)]] | None = None
    """How long the optimizer remembers directions and sizes of past steps."""
    d_coef: Annotated[float, Meta(gt=0, le=10)] | None = None
    """Prodigy only: a factor on the pace it finds."""
    d0: Annotated[float, Meta(gt=0, le=1e-2)] | None = None
    """Prodigy only: the pace it starts from. More when a short training never gets going."""
    scheduler: SchedulerName | None = None
    """How the learning rate changes during the training."""
    restarts: Annotated[int, Meta(ge=1, le=20)] = 3
    """How many cycles the scheduler “cosine_with_restarts” makes."""
    warmup: Annotated[float, Meta(ge=0, le=0.5)] | None = None
    """The share of the training (0 to 0.5) in which the learning rate rises from zero."""
    max_grad_norm: Annotated[float, Meta(ge=0, le=100)] = 1.0
    """The longest step a batch may ask for; 0 for no limit."""

    rank: Annotated[int, Meta(ge=1, le=256)] = 8
    """How much the LoRA can hold. 8 is enough for a style; more makes a larger file that memorises sooner."""
    alpha: Annotated[float, Meta(gt=0, le=256)] | None = None
    """The LoRA's strength in training is alpha ÷ rank."""
    layers: Layers = "attn-mlp"
    """What learns in the transformers: all of it, or attention alone (attn-only), for a smaller and milder LoRA."""
    down_rank: Annotated[int, Meta(ge=0, le=256)] | None = None
    """The rank in the UNet's first blocks, which take a picture in. Left out: the rank; 0: they stay as they are."""
    mid_rank: Annotated[int, Meta(ge=0, le=256)] | None = None
    """The rank in its middle, where a picture is laid out. Left out: the rank; 0: it stays as it is."""
    up_rank: Annotated[int, Meta(ge=0, le=256)] | None = None
    """The rank in its last blocks, where much of a style is. Left out: the rank; 0: they stay as they are."""
    conv_rank: Annotated[int, Meta(ge=0, le=256)] = 0
    """The rank in the convolutions (LoCon), which helps with texture and line; 0 leaves them out."""
    conv_alpha: Annotated[float, Meta(gt=0, le=256)] | None = None
    """Alpha for the convolutions."""
    dora: bool = False
    """Learns how strong a layer's rows are apart from their direction (DoRA). Slower; diffusers reads it in part."""
    text_encoders: bool = False
    """Train the text encoders too. The activation word binds better; it costs memory and forgets other words sooner."""
    text_encoder_rank: Annotated[int, Meta(ge=1, le=256)] | None = None
    """The rank in the text encoders, when they are trained. Left out: the rank."""
    text_encoder_alpha: Annotated[float, Meta(gt=0, le=256)] | None = None
    """Alpha for the text encoders. Left out: the UNet's."""
    init_lora: str = ""
    """A LoRA file to begin from, instead of from nothing; its rank may be as high as the plan's, and not higher."""
    scale_weight_norms: Annotated[float, Meta(ge=0, le=100)] = 0.0
    """The strongest change that a layer may make (1 is usual): what is stronger is scaled down; 0 for no limit."""
    ema: Annotated[float, Meta(ge=0, le=0.9999)] = 0.0
    """Files, previews and the loss on fixed noise are of the average of past weights (0.99: 100 steps); 0 is off."""

    min_snr_gamma: Annotated[float, Meta(ge=0, le=20)] = 5.0
    """Weighs steps with little noise down, so that none dominates (min-SNR); 0 for off."""
    debiased: bool = False
    """Weighs steps with much noise up, where a picture is laid out (debiased estimation), in the place of min-SNR."""
    noise_offset: Annotated[float, Meta(ge=0, le=0.5)] = 0.0
    """Lets the LoRA learn darker and brighter pictures; SDXL itself was made with 0.0357."""
    multires_iterations: Annotated[int, Meta(ge=0, le=10)] = 0
    """Adds coarse noise to the fine, so many sizes of it: large areas are learned sooner (6 is usual); 0 for off."""
    multires_discount: Annotated[float, Meta(ge=0, le=1)] = 0.3
    """How much of each coarser noise is added, as a share of the finer one before it."""
    ip_noise_gamma: Annotated[float, Meta(ge=0, le=0.5)] = 0.0
    """Disturbs what the base sees a little more than it is told, so that it learns to mend (0.05 is usual)."""

    masked_loss: bool = False
    """Only what is opaque in a drawing counts; what is see-through in it teaches nothing. Others count whole."""

    prior_pictures: Annotated[int, Meta(ge=0, le=64)] | None = None
    """Pictures of the base itself beside each batch, without the activation word: the style stays with the word."""
    regularisation: str = ""
    """A folder of other drawings of the same kind, shown without the activation word instead of the base's pictures."""
    prior_weight: Annotated[float, Meta(gt=0, le=10)] = 1.0
    """How much such a picture counts beside a drawing."""

    shuffle_tags: bool = True
    """Change the order of the tags from one time to the next, so that none leans on its place."""
    keep_tokens: Annotated[int, Meta(ge=0, le=20)] = 1
    """How many tags at the front stay where they are: the activation word."""
    tag_orders: Annotated[int, Meta(ge=1, le=200)] = 10
    """In how many different orders each caption is seen; each is encoded once, before the training."""
    caption_dropout: Annotated[float, Meta(ge=0, le=1)] = 0.0
    """The share of times (0 to 1) a drawing is seen without its caption."""
    tag_dropout: Annotated[float, Meta(ge=0, le=1)] = 0.0
    """The share of times (0 to 1) a tag is left out of its caption; those kept in front stay, and so do sentences."""
    caption_chunks: Annotated[int, Meta(ge=1, le=3)] = 3
    """How many pieces of 75 tokens a caption may have."""
    flip: bool = False
    """Mirror half of the drawings. Not for text, signatures, or anything that is not symmetric."""

    held_out: Annotated[int, Meta(ge=0, le=1000)] | None = None
    """Drawings kept out of the training, to tell learning from memorising."""
    resolution: Annotated[int, Meta(ge=32, le=2048)] | None = None
    """The side of the square whose area every drawing is brought to, in pixels. Left out: the base's own."""
    precision: Precision = "auto"
    """The arithmetic of the base; the LoRA itself is always trained in fp32."""
    memory: Annotated[float, Meta(ge=1, le=1024)] | None = None
    """The most GPU memory that the training may take, in GB. Left out: all that is free."""
    checkpointing: bool = False
    """Compute every layer twice to save memory; about two fifths slower. Off: only as many as the memory needs."""
    nf4: bool = False
    """Keep the base in 4 bits (NF4), which is slower and a little coarser. Off: only where nothing else fits."""
    gear: GearChoice = "auto"
    """How steps are carried out: one operation at a time, compiled, or as CUDA graphs. “auto” measures what repays."""
    seed: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 42
    """Everything random follows from this number."""

    save_every: Annotated[int, Meta(ge=1, le=500)] = 1
    """A LoRA file after every so many epochs."""
    save_every_steps: Annotated[int, Meta(ge=0, le=100_000)] = 0
    """A LoRA file after every so many steps as well; 0 for none."""
    keep_last: Annotated[int, Meta(ge=0, le=500)] = 0
    """Of the files after epochs, and of those after steps, only the last so many stay on the disk; 0 keeps all."""
    save_precision: Literal["fp32", "fp16", "bf16"] = "fp16"
    """How exactly the LoRA file keeps its numbers; fp16 is what every tool reads."""
    preview_every: Annotated[int, Meta(ge=0, le=500)] = 1
    """Preview pictures after every so many epochs; 0 for none."""
    preview_prompts: tuple[str, ...] = ()
    """What the previews show. Left out: the first captions."""
    preview_steps: Annotated[int, Meta(ge=1, le=150)] = 25
    """How many steps a preview takes to draw."""
    checkpoint_seconds: Annotated[float, Meta(gt=0)] = 60.0
    """At most so many seconds of work are lost when the machine goes down."""
    time_budget: Annotated[float, Meta(gt=0)] | None = None
    """Stop after so many minutes and keep what was reached; it can go on later."""
    tag_counts: bool = True
    """Write into the LoRA file how often each tag was used, so that others know what to ask it for."""
    file_names: bool = False
    """Write the names of the dataset's folder and of the base into the LoRA file too."""

    @property
    def whole_batch(self) -> int:
        """How many drawings one step looks at, on all GPUs together."""
        return self.batch_size * self.gpus


class Settled(Plan, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A plan in which nothing is left open that a training needs."""

    repeats: int
    epochs: int
    optimizer: OptimizerName
    learning_rate: float
    text_encoder_rate: float
    weight_decay: float
    betas: tuple[float, float]
    scheduler: SchedulerName
    warmup: float
    alpha: float
    prior_pictures: int
    held_out: int
    resolution: int


class Choice(Struct, frozen=True):
    """One field of a settings record, as a form or a command line shows it."""

    name: str
    kind: type | str
    """`int`, `float`, `str` or `bool`; `one of` for options; `list` and `pair` for several."""
    default: Any
    help: str
    options: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None


@cache
def choices(record: type[Struct]) -> tuple[Choice, ...]:
    """The fields of `record` in their order, with defaults, limits and help (in English: `_` is for the reader)."""
    helps = _docstrings(record)
    hints = get_type_hints(record, include_extras=True)
    return tuple(
        _choice(field.name, hints[field.encode_name], field.default, helps[field.name])
        for field in msgspec.structs.fields(record)
    )


def _choice(name: str, hint: Any, default: Any, words: str) -> Choice:
    alternatives = [part for part in get_args(hint) if part is not type(None)]
    if get_origin(hint) not in (Annotated, Literal, tuple) and alternatives:
        hint = alternatives[0]
    metas = [meta for meta in getattr(hint, "__metadata__", ()) if isinstance(meta, Meta)]
    if get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    least = next((bound for meta in metas for bound in (meta.ge, meta.gt) if bound is not None), None)
    most = next((bound for meta in metas for bound in (meta.le, meta.lt) if bound is not None), None)
    if get_origin(hint) is Literal:
        return Choice(name, "one of", default, words, options=get_args(hint))
    if get_origin(hint) is tuple:
        return Choice(name, "list" if get_args(hint)[-1] is Ellipsis else "pair", default, words)
    return Choice(name, hint, default, words, least=least, most=most)


def _docstrings(record: type[Struct]) -> dict[str, str]:
    """The string under each field: Python keeps it only in the source."""
    body = ast.parse(textwrap.dedent(inspect.getsource(record))).body[0]
    if not isinstance(body, ast.ClassDef):
        raise TypeError(record)
    found = {}
    for field, below in zip(body.body, body.body[1:], strict=False):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(below, ast.Expr)
            and isinstance(below.value, ast.Constant)
        ):
            found[field.target.id] = str(below.value.value)
    return found
