"""What is known about single tags: which count people, name a medium, judge, describe traits, tell of writing.

Names are as Danbooru spells them, in small letters and with blanks, as every anime base was taught them. The words of
people who describe their own drawings stand beside them, in English and Spanish.
"""

import re
from functools import lru_cache


def _words(lines: str) -> frozenset[str]:
    return frozenset(word for line in lines.splitlines() for part in line.split(",") if (word := part.strip()))


PEOPLE = _words(
    """1girl, 2girls, 3girls, 4girls, 5girls, 6+girls, multiple girls, 1boy, 2boys, 3boys, 4boys, 5boys, 6+boys
    multiple boys, 1other, 2others, 3others, 4others, 5others, 6+others, multiple others, solo, solo focus, no humans
    male focus, couple, duo, trio, group, everyone, crowd"""
)
"""How many are in the picture: the bases lean on these tags, and taking one out breaks their counting."""

SEVERAL = PEOPLE - _words("1girl, 1boy, 1other, solo, solo focus, no humans, male focus") | _words(
    """multiple views, comic, 2koma, 3koma, 4koma, multiple 4koma, split screen, reference sheet, character sheet
    expressions, variations, reflection, before and after, mirror, chibi inset, crossover, lineup"""
)
"""More than one body is to be seen, so that one may stand and another sit."""

MEDIUM = _words(
    """traditional media, sketch, lineart, line art, outline, outlines, watercolor, watercolour, ink, inking, painterly
    painting, drawing, illustration, digital media, digital art, digital painting, graphite, pencil, pencil drawing
    pencil sketch, colored pencil, coloured pencil, crayon, charcoal, marker, oil painting, acrylic, acrylic paint
    gouache, pastel
    pixel art, ballpoint pen, pen and ink, limited palette, pale color, muted color, flat color, flat colors
    hatching, hatching (texture), crosshatching, cross-hatching, halftone, screentones, cel shading, no lineart
    thick outlines, bold outlines, outline drawing, style parody, retro artstyle, 1980s (style), 1990s (style)
    faux traditional media, mixed media, realistic, photorealistic, cartoon, anime, anime style, manga, manga style
    comic style, vector art, impasto, toon (style), sketchy, doodle, concept art, official style, unfinished, artwork
    anime coloring, anime screencap, game cg, scan, photo (medium), colored sketch, rough sketch, storybook illustration
    boceto, dibujo, dibujo a lápiz, ilustración, acuarela, tinta, lápiz, óleo, carboncillo, pintura, línea"""
)
"""How something is drawn, rather than what."""

QUALITY = _words(
    """masterpiece, best quality, amazing quality, great quality, high quality, good quality, normal quality
    average quality, low quality, bad quality, worst quality, very aesthetic, aesthetic, displeasing, very displeasing
    absurdres, highres, lowres, incredibly absurdres, hires, ultra detailed, extremely detailed, highly detailed
    very detailed, detailed, intricate details, 4k, 8k, uhd, hdr, best, trending on artstation, award winning
    award-winning, beautiful, professional, newest, recent, mid, early, oldest, perfect"""
)
"""Praise and sizes, which the base knows by itself."""

META = _words(
    """commentary, commentary request, english commentary, spanish commentary, chinese commentary, japanese commentary
    korean commentary, symbol-only commentary, partial commentary, mixed-language commentary, translated
    translation request, partially translated, hard-translated, bad id, bad pixiv id, bad twitter id, bad link
    md5 mismatch, resolution mismatch, source mismatch, revision, artist request, character request, copyright request
    source request, tagme, commission, skeb commission, paid reward, paid reward available, third-party edit
    ai-generated, ai-assisted, duplicate, pixel-perfect duplicate, check translation, check commentary
    non-web source, scan artifacts, jpeg artifacts, upscaled, downscaled, image sample, video, animated, original"""
)
"""What a gallery notes about a file, and no picture shows."""

RATINGS = _words(
    """rating:safe, rating:general, rating:sensitive, rating:questionable, rating:explicit, rating:g, rating:s
    rating:q, rating:e, general, sensitive, questionable, explicit, safe, nsfw, sfw, rating safe, rating general
    rating questionable, rating explicit, rating sensitive"""
)

WRITING = _words(
    """signature, watermark, artist name, artist logo, web address, username, twitter username, instagram username
    patreon username, patreon logo, pixiv username, pixiv id, twitter logo, dated, copyright notice, copyright name
    english text, japanese text, chinese text, korean text, spanish text, text, speech bubble, border, page number
    logo, weibo logo, weibo username, sample watermark, firma, marca de agua, texto"""
)
"""What stands on the paper and is no part of the drawing."""

GREY = _words("monochrome, greyscale, grayscale, black and white, blanco y negro")
"""Without colours."""

BACKGROUNDS = _words(
    """simple background, white background, black background, grey background, gray background, transparent background
    two-tone background, gradient background, no background, fondo blanco, fondo negro, sin fondo"""
)
"""An empty page, which is learned as a part of the style where no tag names it."""

COLOURS = _words(
    """black, white, grey, gray, silver, red, blue, green, yellow, orange, purple, violet, pink, brown, blonde, blond
    aqua, light blue, light brown, light green, light purple, dark blue, dark green, platinum blonde, gold, golden"""
)

_HAIR_LENGTHS = _words("short hair, very short hair, medium hair, long hair, very long hair, absurdly long hair, bald")
TRAITS = _HAIR_LENGTHS | _words(
    """heterochromia, multicolored hair, two-tone hair, gradient hair, streaked hair, colored inner hair, slit pupils
    multicolored eyes, gradient eyes, two-tone eyes, colored sclera, animal ears, cat ears, dog ears, fox ears
    rabbit ears, wolf ears, horse ears, bear ears, cow ears, pointy ears, elf, horns, dragon horns, demon horns
    antlers, tail, cat tail, fox tail, dog tail, dragon tail, demon tail, wings, angel wings, demon wings, fangs, fang
    freckles, mole, mole under eye, mole under mouth, scar, scar on face, facial mark, forehead mark, tattoo, beard
    mustache, facial hair, stubble, dark skin, dark-skinned female, dark-skinned male, pale skin, tan, colored skin
    blue skin, green skin, red skin, purple skin, grey skin, fur, furry, body fur, muscular, petite, chubby, old
    bangs, blunt bangs, swept bangs, hair between eyes, sidelocks, ahoge, hime cut, bob cut, thick eyebrows
    big eyebrows, glasses, eyepatch, halo, cat, dog, fox, wolf, rabbit, dragon, pelo largo, pelo corto"""
)
"""What belongs to somebody and does not change from one drawing to the next; colours of hair and eyes too."""

VISUAL = _words(
    """ink, art, arts, anime, manga, girl, boy, man, woman, lady, paint, painting, pencil, hair, style, sketch, draw
    drawing, drawn, color, colour, colors, black, white, red, blue, green, pink, gold, golden, photo, picture, image
    comic, cartoon, toon, face, eye, eyes, hand, hands, body, head, cat, dog, fox, wolf, horse, bird, fish, bear, lion
    dragon, flower, flowers, rose, tree, forest, sky, sun, moon, star, stars, sea, water, fire, ice, snow, rain, cloud
    light, dark, night, shadow, house, castle, city, car, robot, doll, chibi, pixel, print, paper, brush, canvas
    watercolor, pastel, oil, line art, lineart, sexy, nude, cute, baby, king, queen, princess, knight, witch, fairy
    angel, demon, skull, ghost, monster, gothic, vintage, retro, neon, metal, stone, wood, glass, arte, dibujo, dibujos
    estilo, pintura, lápiz, tinta, boceto, acuarela, cuaderno, chica, chico, niña, niño, gato, perro, flor, luna"""
)
"""Words that draw something by themselves, wherever they stand."""

_TRAIT = re.compile(r"(?P<colour>.+?)[ -](?:colored )?(?P<part>hair|eyes)")
_DATED = re.compile(r"(?:year )?(?:19|20)\d\d(?:-\d\d-\d\d)?|score_\d(?:_up)?|score \d(?: up)?|source_\w+|rating_\w+")
_STYLE = re.compile(
    r".+\((?:medium|style|artist|art style)\)|(?:in the |in a )?(?:style of|art by|drawn by|by) .+"
    r"|.+ (?:art ?style|style)|(?:an? )?(?:\w+ ){0,2}(?:illustration|drawing|painting|sketch) of .+"
)
_RUN_OF_LETTERS = re.compile(r"[^\W\d_]{2}")


@lru_cache(maxsize=2**16)
def plain(tag: str) -> str:
    """A tag as these sets spell it: small letters, blanks for underscores, no backslash before a parenthesis."""
    tag = " ".join(tag.casefold().replace("\\(", "(").replace("\\)", ")").split())
    return tag if is_emoticon(tag) else tag.replace("_", " ").strip()


def is_emoticon(tag: str) -> bool:
    """Is this a face (`^_^`, `o_o`), whose underscore is its mouth? Words have two letters in a row."""
    return len(tag) <= 3 or not _RUN_OF_LETTERS.search(tag)


def is_medium(tag: str) -> bool:
    """Does this plain tag say how something is drawn?"""
    return tag in MEDIUM or bool(_STYLE.fullmatch(tag))


def is_quality(tag: str) -> bool:
    """Does this plain tag praise, date or grade the picture?"""
    return tag in QUALITY or bool(_DATED.fullmatch(tag.replace(" ", "_"))) or bool(_DATED.fullmatch(tag))


def colour_of(tag: str, part: str) -> str:
    """The colour that a plain tag gives to `hair` or `eyes`; empty when it gives none."""
    found = _TRAIT.fullmatch(tag)
    return found["colour"] if found and found["part"] == part and found["colour"] in COLOURS else ""


def is_trait(tag: str) -> bool:
    """Does this plain tag name something that belongs to a person or an animal?"""
    return tag in TRAITS or bool(colour_of(tag, "hair") or colour_of(tag, "eyes"))
