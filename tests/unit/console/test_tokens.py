"""The colours of the console by computation: text can be read, and fills are told apart by everybody."""

import itertools
import math
import re
from pathlib import Path

import pytest

from app.console import appearance, static_files

CSS = (Path(static_files.__file__).parent / "static" / "console.css").read_text()
TOKEN = re.compile(r"--([\w-]+):light-dark\(oklch\(([^)]*)\),oklch\(([^)]*)\)\)")
FAMILIES = ("run", "ok", "fail", "hold", "undo", "idle")
TEXTS = ("ink", "soft", "accent", *FAMILIES)
CLOSEST = 10.0  # OKLab times 100; a first palette had 1.6, and failed and held looked alike to many.
# Simulations of colour sight by Machado, Oliveira and Fernandes (2009), severity 1, on linear sRGB.
SIGHT = {
    "normal": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protan": ((0.1523, 1.0526, -0.2049), (0.1145, 0.7863, 0.0992), (-0.0039, -0.0481, 1.0520)),
    "deutan": ((0.3673, 0.8606, -0.2280), (0.2801, 0.6725, 0.0474), (-0.0118, 0.0429, 0.9689)),
    "tritan": ((1.2555, -0.0767, -0.1788), (-0.0784, 0.9308, 0.1476), (0.0047, 0.6914, 0.3039)),
}
Colour = tuple[float, float, float]


def tokens(theme: int) -> dict[str, Colour]:
    """The colours of a theme, 0 light or 1 dark, as linear sRGB."""
    return {name: linear(*map(float, pair[theme].split())) for name, *pair in TOKEN.findall(CSS)}


def linear(lightness: float, chroma: float, hue: float) -> Colour:
    """OKLCH as linear sRGB."""
    a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
    l_ = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    m_ = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    s_ = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    red = 4.0767416621 * l_ - 3.3077115913 * m_ + 0.2309699292 * s_
    green = -1.2684380046 * l_ + 2.6097574011 * m_ - 0.3413193965 * s_
    blue = -0.0041960863 * l_ - 0.7034186147 * m_ + 1.7076147010 * s_
    return clipped(red), clipped(green), clipped(blue)


def clipped(value: float) -> float:
    """A part of a colour as a screen shows it."""
    return min(1.0, max(0.0, value))


def oklab(colour: Colour) -> Colour:
    """Linear sRGB as OKLab."""
    red, green, blue = colour
    long = math.cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue)
    medium = math.cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue)
    short = math.cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue)
    return (
        0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short,
    )


def contrast(one: Colour, other: Colour) -> float:
    """The contrast of WCAG 2."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: Colour) -> float:
    """How bright a colour is."""
    return 0.2126 * colour[0] + 0.7152 * colour[1] + 0.0722 * colour[2]


def seen(colour: Colour, sight: str) -> Colour:
    """A colour as somebody sees it."""
    red, green, blue = (sum(part * colour[i] for i, part in enumerate(line)) for line in SIGHT[sight])
    return oklab((clipped(red), clipped(green), clipped(blue)))


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("ground", ["paper", "panel", "raise"])
def test_every_text_can_be_read(theme: int, ground: str) -> None:
    found = tokens(theme)
    low = {name: contrast(found[name], found[ground]) for name in TEXTS}
    assert {name: round(value, 2) for name, value in low.items() if value < 4.5} == {}


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_every_bar_stands_out(theme: int) -> None:
    found = tokens(theme)
    low = {name: contrast(found[f"{name}-fill"], found["paper"]) for name in FAMILIES}
    assert {name: round(value, 2) for name, value in low.items() if value < 3} == {}


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("sight", SIGHT)
def test_no_two_fills_look_alike(theme: int, sight: str) -> None:
    found = {name: seen(tokens(theme)[f"{name}-fill"], sight) for name in FAMILIES}
    for one, other in itertools.combinations(FAMILIES, 2):
        assert 100 * math.dist(found[one], found[other]) >= CLOSEST, (one, other)


def test_every_state_has_a_word_a_colour_and_an_icon() -> None:
    icons = (Path(static_files.__file__).parent / "static" / "icons.svg").read_text()
    for look in {*appearance.RUNS.values(), *appearance.RESOURCES.values()}:
        assert look.word and look.family in FAMILIES
        assert f'id="{look.icon}"' in icons
