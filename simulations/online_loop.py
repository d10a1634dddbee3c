"""How fast the online loop is back after a change of topic, on simulated models; draws docs/assets/online-loop.svg.

    python simulations/online_loop.py                                  the default study's coefficients, 100 runs each
    python simulations/online_loop.py --proportional 1 --integral 3 --figure none

A topic is a logistic response to the gain; the true bias at each gain is known, so that what is judged is the model and
not the noisy window. A run is back at the first output from which on the true bias stays for a whole window within one
standard error of a window (8.8 points for 32 outputs) of 50.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.special import logit

from edgebias.core.files import write_text
from edgebias.mitigate.steering.controller import ControllerSettings
from edgebias.report.canvas import COLOURS, STYLE, new_canvas, svg_text
from edgebias.serve.online import OnlineSettings
from edgebias.serve.simulated import Topic, Trajectory, outputs_until_back, simulate

FIRST, SECOND = 300, 500
"""Outputs before and after the change of topic."""

SPAN = 200
"""Outputs within which a run should be back."""

CHANGES = ((60.0, 40.0), (60.0, 35.0), (35.0, 65.0))
"""Per cent of stereotypes without steering, before and after the change."""

SLOPES = (0.2, 0.3, 0.43, 0.6)
"""Log-odds of a stereotype that a gain of 1 takes away."""

DELAYS = (0, 32)
"""Outputs between one that is written and its judgement."""

SHOWN = (Topic(60.0, 0.43, 300), Topic(38.0, 0.43, 300), Topic(62.0, 0.43, 300))
"""What the figure shows."""


def change(
    before: float, after: float, slope: float, settings: OnlineSettings, delay: int, rng: np.random.Generator | None
) -> Trajectory:
    """A change of topic, from the gain that suits the first."""
    bound = settings.controller.max_gain
    gain = float(np.clip(logit(before / 100.0) / slope, -bound, bound))
    topics = [Topic(before, slope, FIRST), Topic(after, slope, SECOND)]
    return simulate(topics, settings, rng=rng, delay=delay, gain=gain)


def table(settings: OnlineSettings, runs: int, seed: int) -> None:
    """Print a row for each change, slope and delay."""
    target = 100.0 * 0.5 / np.sqrt(settings.window)
    print(f"{runs} runs each; back: within {target:.1f} points of 50 for {settings.window} outputs")
    print("  topic  slope  delay   back: median  9 of 10  within 200   later: rms   without noise: back  overshoot")
    for before, after in CHANGES:
        for slope in SLOPES:
            if abs(logit(after / 100.0)) > slope * settings.controller.max_gain:
                print(f"{before:3.0f}>{after:2.0f} {slope:6.2f}      -   no gain within the bounds reaches 50")
                continue
            for delay in DELAYS:
                drawn = np.array(
                    [
                        change(before, after, slope, settings, delay, np.random.default_rng([seed, run])).true_bias[
                            FIRST:
                        ]
                        for run in range(runs)
                    ]
                )
                back = np.array([outputs_until_back(one, target, settings.window) for one in drawn])
                rms = np.sqrt(np.mean((drawn[:, SPAN:] - 50.0) ** 2))
                quiet = change(before, after, slope, settings, delay, None).true_bias[FIRST:] - 50.0
                beyond = max(0.0, float((quiet * -np.sign(quiet[0])).max()))
                print(
                    f"{before:3.0f}>{after:2.0f} {slope:6.2f} {delay:6d} {np.median(back):14.0f} "
                    f"{np.quantile(back, 0.9):8.0f} {np.mean(back <= SPAN):10.0%} {rms:12.1f} "
                    f"{outputs_until_back(quiet + 50.0, target, settings.window):21.0f} {beyond:10.1f}",
                    flush=True,
                )


def draw(settings: OnlineSettings, runs: int, seed: int, path: Path) -> None:
    """True bias and gain over three topics: one run, the middle nine tenths of all runs, and the run without noise."""
    from matplotlib import rc_context

    start = float(logit(SHOWN[0].bias / 100.0) / SHOWN[0].slope)
    drawn = [simulate(SHOWN, settings, rng=np.random.default_rng([seed, run]), gain=start) for run in range(runs)]
    quiet = simulate(SHOWN, settings, rng=None, gain=start)
    target = 100.0 * 0.5 / np.sqrt(settings.window)
    changes = np.cumsum([topic.outputs for topic in SHOWN])[:-1]
    with rc_context(STYLE):
        canvas, (left, right) = new_canvas(9.0, 3.1, 2)
        left.axhspan(50.0 - target, 50.0 + target, color="#eeeeee", label=f"target: 50 ± {target:.1f}")
        for axes, name in ((left, "true_bias"), (right, "gain")):
            every: npt.NDArray[np.float64] = np.array([getattr(run, name) for run in drawn])
            places = np.arange(0, every.shape[1], 3)  # a third of the points: what is between cannot be seen
            axes.fill_between(
                places, *np.quantile(every[:, ::3], (0.05, 0.95), axis=0), color=COLOURS[5], alpha=0.35, linewidth=0,
                label=f"nine tenths of {runs} runs",
            )  # fmt: skip
            axes.plot(places, every[0, ::3], color=COLOURS[0], linewidth=0.9, label="one run")
            axes.plot(
                places,
                getattr(quiet, name)[::3],
                color=COLOURS[1],
                linewidth=1.3,
                linestyle="--",
                label="without noise",
            )
            for place in changes:
                axes.axvline(place, color="#555555", linewidth=0.8)
                axes.axvline(place + SPAN, color="#555555", linewidth=0.8, linestyle=":")
            axes.set_xlabel("judged outputs")
            axes.set_xlim(0, every.shape[1])
        left.set_title("True bias, per cent of stereotypes")
        right.set_title("Gain")
        left.legend(loc="upper left", fontsize=7)
        write_text(svg_text(canvas), path)


def main() -> None:
    """Print the table and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--proportional", type=float, default=0.5)
    parser.add_argument("--integral", type=float, default=2.0)
    parser.add_argument("--max-gain", type=float, default=4.0)
    parser.add_argument("--window", type=int, default=32)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=20250217)
    parser.add_argument("--figure", default="docs/assets/online-loop.svg", help="file to write, or none")
    given = parser.parse_args()
    whole = ControllerSettings(given.proportional, given.integral, given.max_gain)
    settings = OnlineSettings(whole, given.window)
    table(settings, given.runs, given.seed)
    if given.figure != "none":
        draw(settings, given.runs, given.seed, Path(given.figure))


if __name__ == "__main__":
    main()
