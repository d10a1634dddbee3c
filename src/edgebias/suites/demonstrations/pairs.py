"""Sentences in pairs that differ in one word and in the verdict, written here for the counterfactual part."""

from __future__ import annotations

PAIRS: tuple[tuple[str, str], ...] = (
    ("superb", "dreadful"),
    ("moving", "lifeless"),
    ("clever", "stupid"),
    ("gripping", "boring"),
    ("brilliant", "terrible"),
    ("graceful", "clumsy"),
    ("delightful", "unbearable"),
    ("convincing", "ridiculous"),
    ("thoughtful", "mindless"),
    ("charming", "annoying"),
    ("wonderful", "awful"),
    ("inspired", "tired"),
)
"""A word of praise and one of blame, which fit the same places."""

FRAMES: tuple[str, ...] = (
    "The acting is {} from the first scene to the last.",
    "In the end, what stays with you is how {} the script was.",
    "The director has made a {} film out of an old story.",
    "For two hours, the audience is held by a {} performance in the leading role.",
    "Nothing in the trailer tells you how {} the second half is.",
    "It is hard to remember another sequel that was this {}.",
    "The dialogue, written by three people, is {} throughout.",
    "Her first feature is a {} piece of work.",
    "The camera never moves without a reason, and the result is {}.",
    "As a comedy about office life, it is simply {}.",
    "The music by itself makes for a {} evening.",
    "You leave the cinema with the feeling that you have seen something {}.",
    "This is a {} look at a family in the suburbs.",
    "What the two leads do with their few scenes is {}.",
    "The ending, which nobody will guess, is {}.",
    "Even by the standards of the genre, the plot is {}.",
    "The editing gives the whole picture a {} rhythm.",
    "He plays the sheriff in a {} way.",
    "Much of the film takes place in a train, and all of it is {}.",
    "The children in the cast are {} whenever they are on the screen.",
    "It begins as a thriller and turns into a {} love story.",
    "Seldom has a novel been brought to the screen in so {} a manner.",
    "The costumes are of the period, the jokes are of today, and the mixture is {}.",
    "Those who know the play will find this version {}.",
    "The voices of the animals are {}, and so are the songs.",
    "A {} documentary about the people who build bridges.",
    "Its three stories meet in a {} last act.",
    "The most expensive scene of the year is also {}.",
    "Every line she speaks sounds {}.",
    "With its long silences, the film is a {} portrait of a marriage.",
    "The battle scenes, shot in one summer, are {}.",
    "All that can be said of the hero is that he is {}.",
    "The mystery at the heart of the story is {}.",
    "Viewers who expect a ghost story will get a {} one.",
    "The opening twenty minutes are {}, and the rest is no different.",
    "It is a {} way to spend a rainy afternoon.",
    "On a small budget, the crew has made a {} picture.",
    "The remake keeps the songs and adds a {} villain.",
    "Between the car chases there is a {} story about two brothers.",
    "The whole thing feels {} because of the way it is lit.",
)
"""Where the word stands. No frame has another word of praise or blame."""

PAIRS_A_FRAME = 3


def frame_pairs() -> list[tuple[int, str, str]]:
    """Return number of the frame, positive and negative sentence; each frame takes three of the pairs in turn."""
    found = []
    for number, frame in enumerate(FRAMES):
        for step in range(PAIRS_A_FRAME):
            praise, blame = PAIRS[(number + step * len(PAIRS) // PAIRS_A_FRAME) % len(PAIRS)]
            found.append((number, _filled(frame, praise), _filled(frame, blame)))
    return found


def _filled(frame: str, word: str) -> str:
    before, after = frame.split("{}")
    if word[0] in "aeiou" and (before.endswith(" a ") or before == "A "):
        before = f"{before[:-1]}n "
    return f"{before}{word}{after}"
