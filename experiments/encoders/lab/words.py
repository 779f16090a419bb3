"""Words for what sketches show, and the ImageNet classes that they name.

``words.csv`` has a line for each word: ``word,imagenet_class_indices``, the indices separated by spaces. It was made by
``python -m lab.words``: classes whose name is the word, and the pairs below, which were chosen by hand. A word that names
no class has no indices.
"""

from __future__ import annotations

import csv
import importlib.util
import sys
from collections.abc import Iterable
from pathlib import Path

TABLE = Path(__file__).parents[3] / "src" / "sketchseek" / "training" / "words.csv"

_RANGES: dict[str, list[tuple[int, int]]] = {
    "dog": [(151, 268)],
    "cat": [(281, 285)],
    "bird": [(10, 20), (91, 95), (141, 141)],
    "songbird": [(10, 20)],
    "wading bird": [(127, 129), (131, 134)],
    "seagull": [(146, 146)],
    "snake": [(52, 68)],
    "lizard": [(38, 48)],
    "spider": [(72, 77)],
    "frog": [(30, 32)],
    "sea turtle": [(33, 34)],
    "turtle": [(35, 37)],
    "crocodile": [(49, 50)],
    "shark": [(2, 4)],
    "ray": [(5, 6)],
    "fish": [(0, 1), (389, 392), (394, 397)],
    "chicken": [(7, 8)],
    "parrot": [(87, 90)],
    "swan": [(100, 100)],
    "duck": [(97, 98)],
    "crab": [(118, 121)],
    "lobster": [(122, 124)],
    "whale": [(147, 148)],
    "dolphin": [(147, 148)],
    "seal": [(150, 150)],
    "bear": [(294, 297)],
    "beetle": [(300, 307)],
    "butterfly": [(321, 326)],
    "rabbit": [(330, 332)],
    "mouse": [(333, 333)],
    "squirrel": [(335, 335)],
    "horse": [(339, 339)],
    "pig": [(341, 343)],
    "cow": [(345, 347)],
    "sheep": [(348, 350)],
    "deer": [(351, 353)],
    "camel": [(354, 354)],
    "ape": [(365, 369)],
    "monkey": [(370, 382)],
    "elephant": [(385, 386), (101, 101)],
    "hedgehog": [(102, 102), (334, 334)],
    "kangaroo": [(104, 104)],
    "dragon": [(48, 48), (51, 51)],
    "mushroom": [(992, 992), (947, 947), (994, 994), (996, 997)],
}

_NAMES: dict[str, str] = {
    "aircraft carrier": "aircraft carrier", "airplane": "airliner, warplane, wing", "alarm clock": "analog clock",
    "clock": "analog clock, wall clock", "animal migration": "hartebeest", "apple": "Granny Smith", "armor": "cuirass, breastplate, chain mail",
    "arm": "", "axe": "hatchet", "bandage": "Band Aid", "baseball bat": "ballplayer", "basket": "shopping basket, hamper",
    "bat": "", "beach": "seashore, sandbar", "bed": "four-poster, studio couch", "bell": "chime, bell cote",
    "belt": "buckle", "bench": "park bench", "bicycle": "bicycle-built-for-two, mountain bike", "birthday cake": "trifle",
    "cake": "trifle", "blimp": "airship", "book": "book jacket, comic book", "bowtie": "bow tie", "bracelet": "chain",
    "brain": "brain coral", "bread": "French loaf, meat loaf", "bridge": "steel arch bridge, suspension bridge, viaduct",
    "bulldozer": "snowplow, harvester", "bus": "school bus, minibus, trolleybus", "cabin": "mobile home, boathouse", "cactus": "",
    "calculator": "hand-held computer", "camera": "reflex camera, Polaroid camera", "campfire": "", "candle": "candle",
    "car": "sports car, convertible, cab, beach wagon", "carrot": "", "ceiling fan": "electric fan", "cell phone": "cellular telephone, iPod",
    "chair": "folding chair, rocking chair, barber chair", "chandelier": "lampshade", "church": "church, monastery",
    "clarinet": "oboe", "coffee cup": "coffee mug, espresso, cup", "comb": "hair slide", "compass": "magnetic compass",
    "computer": "desktop computer, screen, monitor", "cookie": "", "cooler": "crate", "couch": "studio couch",
    "crayon": "ballpoint", "crown": "", "cruise ship": "liner", "cup": "cup, coffee mug", "diving board": "", "donut": "bagel",
    "door": "sliding door", "dresser": "chiffonier, chest", "drill": "power drill", "drums": "drum", "dress": "gown, hoopskirt",
    "ear": "", "eraser": "rubber eraser", "eyeglasses": "sunglasses, sunglass", "fan": "electric fan", "fence": "chainlink fence, picket fence, worm fence",
    "fire hydrant": "", "fireplace": "fire screen, stove", "firetruck": "fire engine", "flashlight": "torch", "flip flops": "sandal",
    "floor lamp": "table lamp, lampshade", "flower": "daisy, yellow lady's slipper", "flying saucer": "", "fork": "spatula",
    "garden hose": "", "golf club": "golf ball", "grass": "hay", "guitar": "acoustic guitar, electric guitar", "hamburger": "cheeseburger",
    "hat": "cowboy hat, sombrero, bonnet", "headphones": "", "helicopter": "", "helmet": "crash helmet, football helmet", "hockey puck": "puck",
    "hockey stick": "puck", "hot air balloon": "balloon", "hot dog": "hotdog", "hot tub": "tub", "house": "mobile home", "house plant": "pot",
    "ice cream": "ice cream", "jacket": "fur coat, trench coat", "jack o lantern": "jack-o'-lantern", "jail": "prison", "keyboard": "computer keyboard",
    "knife": "cleaver, letter opener", "ladder": "", "lantern": "lampshade", "laptop": "laptop, notebook", "leaf": "", "light bulb": "spotlight",
    "lighthouse": "beacon", "lipstick": "lipstick", "longsleeve": "sweatshirt, jersey", "lollipop": "ice lolly", "map": "", "marker": "ballpoint, fountain pen",
    "matches": "matchstick", "megaphone": "loudspeaker", "motorbike": "moped, motor scooter", "mountain": "alp, cliff, volcano", "mug": "coffee mug",
    "ocean": "seashore, coral reef", "octopus": "", "onion": "", "oven": "stove, microwave, rotisserie", "owl": "great grey owl", "paint can": "bucket",
    "palm tree": "", "panda": "giant panda", "pants": "jean", "paper clip": "safety pin", "pear": "fig", "pencil": "ballpoint, pencil box",
    "penguin": "king penguin", "piano": "grand piano, upright", "pickup truck": "pickup", "picture frame": "", "pistol": "revolver", "pliers": "",
    "police car": "cab", "pond": "lakeside", "pool": "", "popsicle": "ice lolly", "postcard": "envelope", "power outlet": "switch", "purse": "purse, wallet",
    "present": "", "raccoon": "badger", "radio": "radio, cassette player, tape player", "rhinoceros": "hippopotamus", "rifle": "rifle, assault rifle",
    "rocket": "missile, projectile", "roller coaster": "", "rollerskates": "", "sailboat": "yawl, schooner, catamaran, trimaran", "sandwich": "burrito, cheeseburger",
    "saw": "chain saw", "saxophone": "sax", "school bus": "school bus", "scissors": "", "shoe": "running shoe, Loafer, clog", "shirt": "", "shorts": "swimming trunks",
    "skirt": "miniskirt, sarong", "sink": "washbasin", "skull": "mask", "smiley face": "", "snowman": "", "speedboat": "speedboat", "spoon": "wooden spoon", "square": "",
    "stairs": "bannister", "stereo": "cassette player, tape player, loudspeaker", "stop sign": "street sign", "streetlight": "", "string bean": "", "suitcase": "mailbag, backpack",
    "sun": "", "sweater": "sweatshirt", "swing set": "swing", "sword": "letter opener, scabbard", "t shirt": "jersey", "table": "dining table, desk",
    "tandem bicycle": "bicycle-built-for-two", "tank": "tank, half track", "teapot": "teapot, coffeepot", "teddy bear": "teddy", "telephone": "dial telephone, pay-phone", "television": "television, monitor",
    "tennis racquet": "racket", "tent": "mountain tent", "toilet": "toilet seat", "toothbrush": "", "tooth": "", "tornado": "", "tractor": "tractor, harvester",
    "train": "bullet train, electric locomotive, steam locomotive, passenger car", "tree": "", "truck": "trailer truck, moving van, garbage truck, tow truck", "trumpet": "cornet, French horn",
    "underwear": "diaper", "van": "minivan, police van, recreational vehicle", "violin": "violin, cello", "washing machine": "washer", "watermelon": "", "wheel": "car wheel", "wheelchair": "",
    "windmill": "", "window": "window screen, window shade", "wine bottle": "wine bottle, red wine", "wine glass": "goblet, red wine", "wristwatch": "digital watch, stopwatch", "yoga": "",
    "zigzag": "", "bottlecap": "bottlecap", "boomerang": "", "canoe": "canoe, paddle", "castle": "castle, palace", "crib": "crib", "envelope": "envelope", "eye": "", "frying pan": "frying pan, wok",
    "garden": "greenhouse", "hospital": "", "hurricane": "", "jellyfish": "jellyfish", "key": "", "lighter": "lighter", "lightning": "", "mailbox": "mailbox", "mermaid": "", "moon": "", "moustache": "", "nose": "",
    "paintbrush": "paintbrush", "peas": "", "pillow": "pillow", "pizza": "pizza", "potato": "mashed potato", "pretzel": "pretzel", "rake": "", "remote control": "remote control", "river": "valley, dam", "sock": "sock, Christmas stocking",
    "snail": "snail", "skyscraper": "", "snowflake": "", "steak": "", "stethoscope": "stethoscope", "syringe": "syringe", "toaster": "toaster", "traffic light": "traffic light", "trombone": "trombone", "waterslide": "", "kite": "",
    "ambulance": "ambulance", "barn": "barn", "bee": "bee", "bush": "", "cannon": "cannon", "cello": "cello", "dishwasher": "dishwasher", "hourglass": "hourglass", "microphone": "microphone", "mosquito": "fly", "mouth": "", "nail": "nail",
    "the great wall of china": "stone wall", "the eiffel tower": "", "the mona lisa": "", "see saw": "", "snorkel": "snorkel", "submarine": "submarine", "toothpaste": "lotion", "vase": "vase", "drill ": "",
    "computer mouse": "mouse", "starfish": "starfish", "volcano": "volcano", "geyser": "geyser", "hermit crab": "hermit crab", "strawberry": "strawberry", "banana": "banana", "pineapple": "pineapple", "broccoli": "broccoli",
    "tomato": "", "passport": "", "parachute": "parachute", "peanut": "", "picnic": "", "anvil": "", "asparagus": "", "blackberry": "", "blueberry": "", "grapes": "", "camouflage": "military uniform", "calendar": "", "feather": "feather boa, quill",
    "beard": "", "goatee": "", "face": "mask", "hand": "", "finger": "", "foot": "", "leg": "", "knee": "knee pad", "elbow": "", "toe": "", "angel": "",
    "necklace": "necklace", "sleeping bag": "sleeping bag", "skateboard": "", "shovel": "shovel", "lawn mower": "lawn mower",
}  # fmt: skip


def imagenet_names() -> list[list[str]]:
    """For each of the 1,000 classes in the order of classifiers, its names."""
    folder = _timm_tables()
    synsets = (folder / "imagenet_synsets.txt").read_text().split()
    lemmas = dict(line.split("\t", 1) for line in (folder / "imagenet_synset_to_lemma.txt").read_text().splitlines())
    return [[name.strip() for name in lemmas[synset].split(",")] for synset in synsets]


def imagenet_synsets() -> list[str]:
    """Synset names such as ``n01440764`` in the order of classifiers."""
    return (_timm_tables() / "imagenet_synsets.txt").read_text().split()


def _timm_tables() -> Path:
    spec = importlib.util.find_spec("timm")  # importing it takes seconds
    if spec is None or spec.origin is None:
        raise ImportError("timm is not installed.")
    return Path(spec.origin).parent / "data" / "_info"


def classes_of(words: Iterable[str]) -> dict[str, list[int]]:
    """Indices of ImageNet classes for each word: by hand where the table above says so, else by equal names."""
    names = imagenet_names()
    by_name: dict[str, list[int]] = {}
    for index, lemma in enumerate(names):
        for name in lemma:
            by_name.setdefault(_bare(name), []).append(index)
    found: dict[str, list[int]] = {}
    for word in words:
        indices: list[int] = []
        for first, last in _RANGES.get(word, []):
            indices += range(first, last + 1)
        for name in filter(None, (part.strip() for part in _NAMES.get(word, "").split(","))):
            if _bare(name) not in by_name:
                raise KeyError(f"{word}: ImageNet has no class {name!r}.")
            indices += by_name[_bare(name)][:1] if word != "crane" else []
        if word not in _RANGES and word not in _NAMES:
            indices = by_name.get(_bare(word), [])
        found[word] = sorted(set(indices))
    return found


def write_table(words: Iterable[str], file: Path = TABLE) -> None:
    """Write the table for these words."""
    with file.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow(["word", "imagenet_class_indices"])
        for word, indices in sorted(classes_of(sorted(set(words))).items()):
            writer.writerow([word, " ".join(map(str, indices))])


def _bare(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "").replace(" ", "").replace("'", "")


if __name__ == "__main__":
    from lab.records import load_sources

    write_table(sketch.category for sketch in load_sources(Path(sys.argv[1])).sketches)
