"""What the things that emoji show are called: the tables behind the vocabulary."""

import re

# States and views of a thing that has a name already: they get the words below and no name of their own.
NAMELESS = re.compile(
    r"front facing .*|oncoming .*|.* (moon|moon face)|sun behind .*|cloud with .*|umbrella (with|on) .*|.* mailbox .*"
    r"|speaker .*|muted speaker|bell with .*|\d.*|globe .*|.* banknote|hourglass not done|.* tilted right|airplane .*"
    r"|small airplane|chart .*|open file folder|.* suit|page .*|incoming envelope|envelope with .*|e mail|linked .*"
    r"|round pushpin|(green|blue|orange) book|.* medal|.* thirty|.* oclock|locked with .*|low battery|e mail|love hotel"
    r"|mobile phone with .*|camera with .*|snowman without .*|cityscape at .*|sunrise over .*|glowing star|small .*"
    r"|japanese (post office|dolls)|clinking beer mugs|tear off .*|rolled up .*|money with .*|old key|fork and knife"
    r"|optical disk|sun with face|card index|notebook with .*|heart suit|light rail|tram car|mountain .*railway"
    r"|womans (hat|clothes)|mans shoe|place of .*|yen .*|leaf fluttering .*|motor boat|passenger ship|delivery truck"
)
NAMED_ANYWAY = frozenset(("crescent moon", "full moon", "sports medal"))
OBSCURE = frozenset(
    re.split(
        r", ",
        "hair pick, nazar amulet, hamsa, pager, mate, tamale, oden, tanabata tree, pine decoration, carp "
        "streamer, moon viewing ceremony, wind chime, red envelope, admission tickets, card file box, card index "
        "dividers, bookmark tabs, label, ledger, placard, level slider, control knobs, identification card, "
        "reminder ribbon, performing arts, mahjong red dragon, flower playing cards, joker, confetti ball, fog, "
        "foggy, black nib, ballot box with ballot, outbox tray, inbox tray, postal horn, computer disk, dvd, "
        "videocassette, film frames, trackball, fax machine, alembic, petri dish, lotion bottle, roll of paper, "
        "bubbles, funeral urn, kaaba, hindu temple, synagogue, department store, convenience store, post office, "
        "bank, office building, national park, mount fuji, camping, wedding, classical building, building "
        "construction, brick, wood, derelict house, hut, station, metro, trolleybus, minibus, suspension railway, "
        "mountain cableway, aerial tramway, railway car, auto rickshaw, motorway, oil drum, sari, clutch bag, "
        "martial arts uniform, running shirt, goal net, diving mask, cricket game, field hockey, lacrosse, "
        "curling stone, softball, pouring liquid, cut of meat, fish cake with swirl, shallow pan of food, pot of "
        "food, bowl with spoon, curry rice, cooked rice, rice cracker, stuffed flatbread, fondue, flatbread, "
        "custard, teacup without handle, tumbler glass, link, clamp, sparkler, firecracker, ewe, ox, water "
        "buffalo, guide dog, service dog, microbe, knot, thread, receipt, seat, satellite antenna, police car "
        "light, liter, steaming bowl, house with garden, hammer and pick, hammer and wrench, video camera, film "
        "projector, spiral notepad, file folder, file cabinet, electric plug, wastebasket, pinata, nesting dolls, "
        "folding hand fan, lab coat, safety vest, one piece swimsuit, beverage box, takeout box, falafel, meat on "
        "bone, roasted sweet potato, tropical fish, two hump camel, black cat, black bird, spiral calendar, card "
        "index, wheel, horizontal traffic light, vertical traffic light, mobile phone off, manual wheelchair, "
        "motorized wheelchair, tram, monorail, high speed train, rock, herb, sheaf of rice, ginger root, statue "
        "of liberty, tokyo tower, map of japan, musical score, construction",
    )
)
"""Things that few would name, or that 96 pixels do not tell from their likes; they get words and kinds all the same."""
RENAMED = {"magnifying glass tilted left": "magnifying glass", "hourglass done": "hourglass", "horn": "musical horn"}

KINDS = {
    "animals-nature/animal": "animal",
    "animals-nature/animal-bird": "bird",
    "animals-nature/animal-marine": "sea_creature",
    "animals-nature/animal-bug": "bug",
    "animals-nature/animal-reptile": "reptile",
    "animals-nature/plant": "plant",
    "animals-nature/plant-flower": "flower",
    "food-drink/food": "food",
    "food-drink/food-fruit": "fruit",
    "food-drink/food-vegetable": "vegetable",
    "food-drink/food-sweet": "sweets",
    "food-drink/drink": "drink",
    "food-drink/dishware": "tableware",
    "travel-places/place-building": "building",
    "travel-places/place-religious": "building",
    "travel-places/place-geographic": "scenery",
    "travel-places/transport-ground": "vehicle",
    "travel-places/transport-water": "vehicle watercraft",
    "travel-places/transport-air": "vehicle aircraft",
    "travel-places/time": "clock",
    "travel-places/sky-weather": "sky",
    "activities/sport": "sport",
    "activities/game": "game",
    "activities/award": "award",
    "objects/clothing": "clothes",
    "objects/musical-instrument": "instrument music",
    "objects/music": "music",
    "objects/phone": "phone electronics",
    "objects/computer": "computer electronics",
    "objects/light-video": "electronics",
    "objects/book-paper": "paper",
    "objects/money": "money",
    "objects/writing": "stationery",
    "objects/office": "stationery",
    "objects/lock": "lock",
    "objects/tool": "tool",
    "objects/science": "science",
    "objects/medical": "medical",
    "objects/household": "household",
    "smileys-emotion/face": "smiley face",
    "smileys-emotion/cat-face": "smiley face cat",
    "people-body/hand": "hand",
    "people-body/person": "person",
    "people-body/family": "person multiple_people",
    "symbols": "symbol",
    "symbols/arrow": "arrow",
    "symbols/zodiac": "zodiac",
}
"""Tags by the beginning of OpenMoji's group and subgroup."""

# Things whose subgroup says what they are not: an anchor is no watercraft.
ODD = frozenset(
    re.split(
        r", ",
        "feather, wing, paw prints, pig nose, spider web, spiral shell, coral, microbe, brick, rock, wood, "
        "wedding, building construction, camping, anchor, ring buoy, parachute, seat, bus stop, motorway, railway "
        "track, oil drum, fuel pump, wheel, police car light, horizontal traffic light, vertical traffic light, "
        "stop sign, construction, hourglass done, hourglass not done, thermometer, closed umbrella, umbrella, "
        "umbrella on ground, high voltage, fire, water wave, snowman, snowman without snow, lipstick, gem stone, "
        "prayer beads, hair pick, magnifying glass tilted left, magnifying glass tilted right, candle, diya lamp, "
        "red paper lantern, wastebasket, skull, skull and crossbones, pile of poo, ghost, alien monster, abacus, "
        "potable water, wind face, statue of liberty",
    )
)

WORDS = frozenset(
    "airplane anchor apple bag ball bear bed bell bicycle bird boat book boot bottle bowl bread bubble "
    "building bus cake camel camera candle car castle cat chair chart chick circle clock cloud coin computer "
    "cookie couch cow crescent cross cup diamond dog dragon drum ear egg envelope eye fire fish flag flower "
    "folder fork fruit glass globe guitar hat heart helmet horn horse house key keyboard knife lamp lantern "
    "leaf letter lightning lock mailbox mask medal microphone monkey moon mountain mouse note pen pepper "
    "phone pig plate rabbit railway rain ribbon ring rose ruler sandal ship shoe skull snow spoon square star "
    "sun sword tiger tooth train tree triangle truck umbrella water whale wheel window wing".split()
)
"""Tags for every drawing whose name has the word, alone or as a plural."""

MORE = {
    "bee": ("honeybee",),
    "lightning": ("high voltage",),
    "boat": ("sailboat", "canoe", "speedboat", "ferry", "ship", "passenger ship"),
    "car": ("automobile", "taxi", "oncoming taxi", "oncoming automobile", "sport utility vehicle", "ambulance"),
    "truck": ("articulated lorry", "fire engine"),
    "train": ("locomotive", "metro", "tram", "light rail", "monorail", "railway car", "tram car", "mountain railway"),
    "bicycle": ("motorcycle", "motor scooter"),
    "dog": ("poodle",),
    "cow": ("ox", "water buffalo"),
    "pig": ("boar",),
    "sheep": ("ram", "ewe"),
    "chicken": ("rooster", "turkey"),
    "whale": ("orca",),
    "dinosaur": ("sauropod", "t rex"),
    "bear": ("koala", "panda"),
    "clover": ("shamrock", "four leaf clover"),
    "leaf": ("shamrock", "herb", "seedling", "leafy green"),
    "tree": ("cactus",),
    "eyewear": ("glasses", "sunglasses", "goggles"),
    "headphones": ("headphone",),
    "padlock": ("locked", "unlocked", "locked with pen", "locked with key"),
    "fire": ("candle", "heart on fire", "diya lamp"),
    "weapon": ("dagger", "crossed swords", "bomb", "bow and arrow", "axe", "water pistol", "kitchen knife"),
    "footwear": (
        *("mans shoe", "running shoe", "hiking boot", "flat shoe", "high heeled shoe", "womans sandal"),
        *("ballet shoes", "womans boot", "thong sandal", "socks", "ice skate", "roller skate", "skis"),
    ),
    "hat": ("crown", "graduation cap", "billed cap", "military helmet", "rescue workers helmet", "top hat"),
    "jewelry": ("ring", "crown", "gem stone", "prayer beads"),
    "book": ("notebook", "ledger"),
    "screen": ("television", "laptop", "desktop computer", "mobile phone"),
    "hot": ("hot beverage", "steaming bowl", "hot springs", "pot of food"),
    "glass": ("tropical drink", "beer mug", "clinking beer mugs", "cup with straw"),
    "night": ("night with stars", "bridge at night", "milky way", "crescent moon"),
    "winter": ("snowflake", "snowman", "snowman without snow", "sled", "skis", "ice skate", "christmas tree"),
}
"""Tags for drawings whose names do not say so."""

EXPRESSIONS = {
    "smile": "smiling grinning beaming smirking smile",
    "tears": "crying tear tears",
    "tongue_out": "tongue",
    "kiss": "kiss kissing",
    "angry": "angry enraged anger pouting",
    "frown": "frowning disappointed worried confused",
    "sleeping": "sleepy sleeping zzz",
    "open_mouth": "astonished screaming hushed yawning anguished",
    "closed_eyes": "squinting pensive relieved weary tired",
    "horns": "horns",
}
"""Tags for the faces whose names have one of the words."""
WOMEN = frozenset("woman girl women princess mrs mermaid".split())
MEN = frozenset("man boy men prince merman santa".split())
