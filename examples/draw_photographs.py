"""Draw the photographs that the tutorials use: `python examples/draw_photographs.py`, in the folder where you work.

It writes 120 pictures of fruit in the folders that `regnety train` reads, a photograph of a cat, and a damaged file.
"""

import random
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter

COUNTS = {"train": 24, "val": 8, "test": 8}
COLOURS = {"apple": (190, 40, 50), "banana": (230, 200, 60), "pear": (110, 170, 60)}
SIZE = (96, 80)


def draw_background(chance: random.Random) -> Image.Image:
    """A wall in uneven light: no two pictures are the same, as no two photographs are."""
    light = [chance.randint(130, 250) for _ in range(3)]
    patches = Image.new("RGB", (12, 10))
    patches.putdata([tuple(value + chance.randint(-60, 60) for value in light) for _ in range(120)])
    return patches.resize(SIZE, Image.Resampling.BICUBIC)


def draw_fruit(name: str, chance: random.Random) -> Image.Image:
    """One picture: a fruit of random size, place, shade and tilt."""
    colour = tuple(value + chance.randint(-25, 25) for value in COLOURS[name])
    fruit = Image.new("RGBA", SIZE)
    draw = ImageDraw.Draw(fruit)
    x, y, r = chance.randint(36, 60), chance.randint(36, 44), chance.randint(16, 26)
    if name == "apple":
        draw.ellipse((x - r, y - r, x + r, y + r), fill=colour)
        draw.line((x, y - r, x + 4, y - r - 8), fill=(90, 60, 30), width=3)
    elif name == "banana":
        draw.arc((x - r, y - 2 * r, x + r, y + r), start=20, end=160, fill=colour, width=r // 2)
    else:
        draw.ellipse((x - r, y - r // 2, x + r, y + r), fill=colour)
        draw.ellipse((x - r // 2, y - r, x + r // 2, y + r // 2), fill=colour)
    picture, tilted = draw_background(chance), fruit.rotate(chance.uniform(-30, 30), Image.Resampling.BICUBIC)
    picture.paste(tilted, mask=tilted)
    return picture.filter(ImageFilter.GaussianBlur(chance.uniform(0, 1.5)))  # no camera draws edges this sharp


chance = random.Random(0)  # the same pictures every time
for split, count in COUNTS.items():
    for name in COLOURS:
        folder = Path("fruit", split, name)
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(count):
            draw_fruit(name, chance).save(folder / f"{number:02d}.jpg")

photograph = Image.open(Path(__file__).with_name("cat.png")).convert("RGB")
photograph.save("photo.jpg")
Path("damaged.jpg").write_bytes(Path("photo.jpg").read_bytes()[:2000])
print("fruit/ (120 pictures), photo.jpg and damaged.jpg are here")
