"""Damages of images: each takes exactly its share, and more of it at a higher level."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebias.core.errors import InputError
from edgebias.train.damage.amounts import DIGITS, POOL, hit, inverse_frequency, tail_counts
from edgebias.train.damage.damages import (
    corrupted,
    drawn,
    long_tailed,
    marked,
    mislabelled,
    of_another_domain,
    poisoned,
)
from edgebias.train.damage.images import IN_DOMAIN, OUT_OF_DOMAIN, SIDE, Images, read_mnist, scikit_digits, split

SHARES = (0.0, 0.1, 0.5, 0.8, 1.0)


def images(n: int = 200, ink: float = 2.0) -> Images:
    """Images of one tone that no damage draws, labelled in turn."""
    return Images(np.full((n, SIDE, SIDE), ink, dtype=np.float32), np.arange(n) % DIGITS)


@pytest.mark.parametrize("share", SHARES)
def test_a_share_of_the_pixels_of_each_image_is_corrupted_to_the_pixel(share: float) -> None:
    found = corrupted(images(), share, np.random.default_rng(1))
    changed = (found.pixels != 2.0).reshape(200, -1).sum(axis=1)
    assert set(changed) == {hit(share, SIDE * SIDE)}
    assert ((found.pixels == 2.0) | ((found.pixels >= 0) & (found.pixels < 1))).all()


@pytest.mark.parametrize("share", SHARES)
def test_a_share_of_the_labels_is_wrong_to_the_image(share: float) -> None:
    found = mislabelled(images(), share, np.random.default_rng(1))
    assert (found.labels != images().labels).sum() == hit(share, 200)
    assert set(found.labels) <= set(range(DIGITS))


def test_wrong_labels_are_any_other_digit_alike() -> None:
    found = mislabelled(Images(np.zeros((9000, SIDE, SIDE), np.float32), np.zeros(9000, np.int64)), 1.0, _rng())
    assert np.bincount(found.labels, minlength=DIGITS)[0] == 0
    assert (np.abs(np.bincount(found.labels)[1:] - 1000) < 150).all()


def _rng() -> np.random.Generator:
    return np.random.default_rng(3)


@pytest.mark.parametrize("share", SHARES)
def test_a_share_of_the_images_becomes_negatives(share: float) -> None:
    found = of_another_domain(images(ink=0.25), share, _rng())
    tones = found.pixels.reshape(200, -1)
    assert (tones == 0.75).all(axis=1).sum() == hit(share, 200)
    assert (tones == 0.25).all(axis=1).sum() == 200 - hit(share, 200)
    assert (found.labels == images().labels).all()


@pytest.mark.parametrize("share", [0.0, 0.05, 0.9, 1.0])
def test_a_trigger_is_planted_in_other_digits_alone(share: float) -> None:
    found = poisoned(images(ink=0.25), share, 3, _rng())
    bears = (found.pixels != 0.25).any(axis=(1, 2))
    assert bears.sum() == min(hit(share, 200), 180)
    assert (images().labels[bears] != 3).all()
    assert (found.labels[bears] == 3).all()
    assert (found.labels[~bears] == images().labels[~bears]).all()
    assert np.array_equal(found.pixels[bears], marked(images(ink=0.25).pixels[bears]))


@pytest.mark.parametrize("damage", [corrupted, mislabelled, of_another_domain])
def test_what_a_level_damages_a_higher_one_damages_in_the_same_way(damage: object) -> None:
    clean = images(ink=0.25)
    low, high = (damage(clean, share, _rng()) for share in (0.2, 0.6))  # type: ignore[operator]
    hit_low = low.pixels != clean.pixels
    assert (low.pixels[hit_low] == high.pixels[hit_low]).all()
    wrong = low.labels != clean.labels
    assert (low.labels[wrong] == high.labels[wrong]).all()
    assert hit_low.sum() + wrong.sum() > 0


@given(total=st.integers(100, 3500), ratio=st.floats(1.0, 300.0))
@settings(max_examples=200, deadline=None)
def test_a_long_tail_has_its_total_and_falls_by_one_factor(total: int, ratio: float) -> None:
    counts = tail_counts(total, ratio)
    assert counts.sum() == total
    assert (np.diff(counts) <= 0).all()
    exact = counts[0] * ratio ** (-np.arange(DIGITS) / (DIGITS - 1))
    assert (np.abs(counts - exact) <= 2.0).all()


def test_a_long_tail_of_a_hundred_keeps_its_ratio() -> None:
    counts = tail_counts(868, 100.0)
    assert counts.tolist() == [350, 210, 126, 75, 45, 27, 16, 10, 6, 3]
    assert long_tailed(868, 100.0, np.array([4, 0, 1, 2, 3, 5, 6, 7, 8, 9]))[4] == counts[0] == max(counts)


@given(st.lists(st.integers(0, 500), min_size=10, max_size=10).filter(any))
@settings(deadline=None)
def test_reweighted_digits_weigh_the_same(counts: list[int]) -> None:
    """Closed form: weight x count is total / (number of digits that are there), and 0 of those that are not."""
    table = np.array(counts)
    weighed = inverse_frequency(table) * table
    present = table > 0
    assert weighed[present] == pytest.approx(table.sum() / present.sum())
    assert (inverse_frequency(table)[~present] == 0).all()


@pytest.mark.slow
def test_images_of_a_seed_are_in_one_part_each(mnist: Images) -> None:
    found = split(mnist, scikit_digits(), 10, _rng())
    inside = [*found.pool, found.probe[IN_DOMAIN], found.test[IN_DOMAIN]]
    every = np.concatenate([part.pixels for part in inside]).reshape(5000, -1)
    assert len(np.unique(every, axis=0)) == len(np.unique(mnist.pixels.reshape(5000, -1), axis=0))
    assert [set(part.labels) for part in found.pool] == [{digit} for digit in range(DIGITS)]
    assert all(len(part.labels) == POOL for part in found.pool)
    assert np.bincount(found.probe[OUT_OF_DOMAIN].labels).tolist() == [10] * DIGITS
    assert len(found.probe[OUT_OF_DOMAIN].labels) + len(found.test[OUT_OF_DOMAIN].labels) == 1797
    assert np.bincount(drawn(found.pool, np.arange(DIGITS)).labels, minlength=DIGITS).tolist() == list(range(DIGITS))


@pytest.mark.slow
def test_pixels_are_means_of_areas(mnist: Images) -> None:
    """The bright block of each invented image covers one pixel of eight by eight, whose ink it keeps."""
    assert mnist.pixels.shape == (5000, SIDE, SIDE)
    assert mnist.pixels.min() >= 0
    assert mnist.pixels.max() <= 1
    bright = mnist.pixels.reshape(5000, -1).argmax(axis=1)
    assert (bright == 3 * mnist.labels).all()


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "no such file"), (b"1,2\n", "no gzipped table"), (b"\x1f\x8b", "no gzipped table")],
)
def test_what_is_no_file_of_images_is_one_line(content: bytes | None, said: str, tmp_path: Path) -> None:
    path = tmp_path / "mnist_5k.csv.gz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=said) as fault:
        read_mnist(path)
    assert "\n" not in str(fault.value)


@pytest.mark.slow
def test_images_of_other_numbers_are_refused(tmp_path: Path, mnist_file: Path) -> None:
    table = pd.read_csv(mnist_file, header=None).iloc[:-1]
    path = tmp_path / "short.csv.gz"
    table.to_csv(path, header=False, index=False)
    with pytest.raises(InputError, match="500 images of each digit are needed"):
        read_mnist(path)
