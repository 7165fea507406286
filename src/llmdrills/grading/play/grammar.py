"""The stories that the small model was trained on: a grammar, a seed, and no other source. No torch.

    stories(count=3, seed=1)  # three texts; the same three every time

A story is made so that a model needs each of its parts: names and things return long after they were said (attention
over the whole text), made-up words are spelled again letter by letter and lists are walked backwards (positions),
numbers are added (the feed-forward layers), and quotes that open are closed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

__all__ = ["ENDING", "stories"]

ENDING = "The end."
"""The last words of every story."""

_GIRLS = ("Mia", "Ana", "Lily", "Zoe", "Nora", "Ella", "Ruth", "Ivy", "Clara", "Maya")
_BOYS = ("Tom", "Ben", "Sam", "Leo", "Max", "Finn", "Hugo", "Paul", "Oscar", "Noah")
_ANIMALS = ("cat", "dog", "duck", "goat", "pony", "fox", "owl", "hen")
_COLOURS = ("red", "blue", "green", "white", "black", "yellow", "brown", "grey")
_THINGS = ("apple", "cup", "stone", "shell", "coin", "pear", "button", "candle", "ribbon", "bean")
_HIDDEN = ("key", "ball", "ring", "map", "letter", "lamp", "drum", "book", "whistle", "clock")
_PLACES = ("box", "bag", "barn", "boat", "chest", "oven", "basket", "drawer", "well", "cart")
_SIGHTS = ("river", "hill", "mill", "bridge", "forest", "lake", "market", "tower", "cave", "garden")
_MOODS = ("happy", "tired", "proud", "sad", "brave", "hungry", "cold", "quiet")
_WEATHER = ("sunny", "rainy", "windy", "snowy", "foggy", "warm")
_TIMES = ("morning", "day", "evening", "afternoon")
_SYLLABLES = ("ka", "mo", "li", "tu", "re", "no", "si", "pa", "du", "vi", "zo", "ge")


@dataclass(frozen=True)
class _Person:
    name: str
    she: str
    her: str  # the object's form
    hers: str  # the possessive's form


@dataclass(frozen=True)
class _Cast:
    """Who is in a story, and the source of its choices."""

    random: Random
    hero: _Person
    friend: _Person
    animal: str
    animal_name: str

    def one(self, words: tuple[str, ...]) -> str:
        return words[int(self.random.random() * len(words))]

    def some(self, words: tuple[str, ...], count: int) -> list[str]:
        """`count` different ones, in an order of their own."""
        left, taken = list(words), []
        for _ in range(count):
            taken.append(left.pop(int(self.random.random() * len(left))))
        return taken

    def number(self, low: int, high: int) -> int:
        """A whole number from low to high."""
        return low + int(self.random.random() * (high - low + 1))


def stories(count: int, seed: int) -> list[str]:
    """`count` stories, each a few sentences that end with `ENDING`. Only `Random.random` is used, whose numbers are
    the same in every version of Python."""
    random = Random(seed)  # noqa: S311  # no secret: a story
    return [_story(random) for _ in range(count)]


def _story(random: Random) -> str:
    cast = _cast(random)
    scenes = cast.some(tuple(_SCENES), cast.number(2, 3))  # names of scenes
    parts = [_opening(cast), *(_SCENES[name](cast) for name in scenes), _close(cast)]
    return "\n".join(parts)


def _cast(random: Random) -> _Cast:
    people = [_Person(name, "she", "her", "her") for name in _GIRLS] + [_Person(n, "he", "him", "his") for n in _BOYS]
    hero = people.pop(int(random.random() * len(people)))
    friend = people.pop(int(random.random() * len(people)))
    animal = _ANIMALS[int(random.random() * len(_ANIMALS))]
    called = "".join(_SYLLABLES[int(random.random() * len(_SYLLABLES))] for _ in range(2 + int(random.random() * 2)))
    return _Cast(random, hero, friend, animal, called.capitalize())


def _opening(cast: _Cast) -> str:
    hero, friend = cast.hero, cast.friend
    start = cast.one(("Once there was", "Long ago there was", "In a small town there was"))
    child = "girl" if hero.she == "she" else "boy"
    return (
        f"{start} a {child} named {hero.name}. {hero.name} had a {cast.one(_COLOURS)} {cast.animal} called"
        f" {cast.animal_name} and a friend named {friend.name}."
    )


def _counting(cast: _Cast) -> str:
    hero, friend = cast.hero, cast.friend
    first, second = cast.number(2, 8), cast.number(1, 8)
    colour, thing = cast.one(_COLOURS), cast.one(_THINGS)
    plural = f"{colour} {thing}s"
    given = f"{second} more" if second > 1 else "1 more"
    if first > second and cast.random.random() < 0.4:
        return (
            f"{hero.name} had {first} {plural}. {_cap(hero.she)} gave {second} to {friend.name}. Now"
            f" {hero.name} had {first - second} {_counted(first - second, colour, thing)}."
        )
    return (
        f"{hero.name} had {first} {plural}. {friend.name} gave {hero.her} {given}. Now {hero.name} had"
        f" {first + second} {plural}."
    )


def _counted(count: int, colour: str, thing: str) -> str:
    return f"{colour} {thing}" if count == 1 else f"{colour} {thing}s"


def _hiding(cast: _Cast) -> str:
    hero, friend = cast.hero, cast.friend
    things, places = cast.some(_HIDDEN, 3), cast.some(_PLACES, 3)
    put = [f"the {thing} in the {place}" for thing, place in zip(things, places, strict=True)]
    asked = cast.number(0, 2)
    return (
        f"{hero.name} put {put[0]}, {put[1]} and {put[2]}. "
        f'"Where is the {things[asked]}?" asked {friend.name}. "It is in the {places[asked]}," said {hero.name}.'
    )


def _walking(cast: _Cast) -> str:
    hero = cast.hero
    sights = cast.some(_SIGHTS, 3)
    there = f"the {sights[0]}, then the {sights[1]}, then the {sights[2]}"
    back = f"the {sights[2]}, then the {sights[1]}, then the {sights[0]}"
    when = f"One {cast.one(_WEATHER)} {cast.one(_TIMES)}"
    return (
        f"{when} {hero.name} and {cast.animal_name} the {cast.animal} went for a walk. They saw {there}."
        f" On the way home they saw {back}."
    )


def _reading(cast: _Cast) -> str:
    hero, friend = cast.hero, cast.friend
    words = ["".join(cast.one(_SYLLABLES) for _ in range(cast.number(2, 3))) for _ in range(cast.number(2, 3))]
    written = " ".join(words)
    where = cast.one(("door", "wall", "gate", "stone"))
    return (
        f'On the {where} stood the words "{written}". {friend.name} could not read them.'
        f' "It says {written}," said {hero.name}.'
    )


def _feeling(cast: _Cast) -> str:
    hero, friend = cast.hero, cast.friend
    mood = cast.one(_MOODS)
    why = cast.one(("because it was late", "because it was so far", "because the door was open", "all the same"))
    return (
        f'{friend.name} was {mood} {why}. "Why are you {mood}?" asked {hero.name}. {_cap(hero.she)} gave'
        f" {friend.her} {hero.hers} {cast.one(_COLOURS)} {cast.one(('hat', 'coat', 'scarf'))}."
    )


_SCENES: dict[str, Callable[[_Cast], str]] = {
    "counting": _counting,
    "hiding": _hiding,
    "walking": _walking,
    "reading": _reading,
    "feeling": _feeling,
}


def _close(cast: _Cast) -> str:
    hero, friend = cast.hero, cast.friend
    return (
        f"At night {hero.name} and {friend.name} went home, and {cast.animal_name} the {cast.animal} went with them."
        f" {ENDING}"
    )


def _cap(word: str) -> str:
    return word[:1].upper() + word[1:]
