"""Command line of the stage ``mitigate``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from edgebias.core.errors import run_stage
from edgebias.core.settings import parse_settings

EXAMPLE = """example:
  python -m edgebias.stages.mitigate directions --settings SETTINGS --source learned --fitted-on all_but_fold_1 \\
    --items-folder data/prompts --texts data/raw/benchmarks/BOLD/data/wikipedia/profession_wiki.json \\
    --answers reference_answers.parquet --weights data/models/M/wanda50_q8_0.gguf \\
    --control-vector all_but_fold_1.gguf --training training.csv
  python -m edgebias.stages.mitigate ship --weights data/models/M/wanda50_q8_0.gguf \\
    --directions-without all_but_fold_1.gguf all_but_fold_2.gguf --control-vector mean_of_folds.gguf
  python -m edgebias.stages.mitigate probe --settings SETTINGS --items-folder data/prompts \\
    --weights data/models/M/wanda50_q8_0.gguf --table layer_probes.csv
  python -m edgebias.stages.mitigate answers --settings SETTINGS --weights data/models/M/full.gguf \\
    --answers reference_answers.parquet
  python -m edgebias.stages.mitigate gate --settings SETTINGS --items-folder data/prompts \\
    --texts data/raw/benchmarks/BOLD/data/wikipedia/profession_wiki.json --answers reference_answers.parquet \\
    --weights data/models/M/wanda50_q8_0.gguf --gate gate.json
  python -m edgebias.stages.mitigate condition --settings SETTINGS --items-folder data/prompts \\
    --texts data/raw/benchmarks/BOLD/data/wikipedia/profession_wiki.json --answers reference_answers.parquet \\
    --weights data/models/M/wanda50_q8_0.gguf --control-vector behaviour.gguf --condition condition.json
  python -m edgebias.stages.mitigate fit --settings SETTINGS --items-folder data/prompts \\
    --texts data/raw/benchmarks/BOLD/data/wikipedia/profession_wiki.json --answers reference_answers.parquet \\
    --weights data/models/M/wanda50_q8_0.gguf \\
    --directions mean_of_folds.gguf --directions-without all_but_fold_1.gguf all_but_fold_2.gguf \\
    --control-vector control_vector.gguf --trajectory trajectory.csv --state state.json
  python -m edgebias.stages.mitigate evaluate --settings SETTINGS --method feedback_loop --items-folder data/prompts \\
    --texts data/raw/benchmarks/BOLD/data/wikipedia/profession_wiki.json --answers reference_answers.parquet \\
    --weights data/models/M/wanda50_q8_0.gguf --control-vector control_vector.gguf --baseline none/responses.parquet \\
    --responses responses.parquet --scores scores.csv --cost cost.json
  python -m edgebias.stages.mitigate card --name edge/M/wanda50_q8_0 --state state.json --before none/scores.csv \\
    --after feedback_loop/scores.csv --cost feedback_loop/cost.json --card card.md
"""


def main(argv: Sequence[str] | None = None) -> None:
    """Find directions, write reference answers, probe blocks, run the loop, or evaluate a method; see ``--help``."""
    parser = argparse.ArgumentParser(
        prog="python -m edgebias.stages.mitigate",
        description="Find directions, probe the blocks and run the per-layer feedback loop on calibration items, or "
        "evaluate a method on held-out items.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    finding = commands.add_parser("directions", help="find the directions to steer along, on calibration items")
    shipping = commands.add_parser("ship", help="the mean of the directions found without each fold, which is shipped")
    probing = commands.add_parser("probe", help="how well the blocks tell contrast pairs apart, on calibration items")
    answering = commands.add_parser("answers", help="what the uncompressed build answers to everyday requests")
    gating = commands.add_parser("gate", help="fit the gate that says which requests are steered")
    conditioning = commands.add_parser("condition", help="fit conditional steering (CAST), a baseline of the field")
    fitting = commands.add_parser("fit", help="run the loop on calibration items and export a control vector")
    describing = commands.add_parser("card", help="the model card of the vector that fit wrote")
    evaluating = commands.add_parser("evaluate", help="bias, utility and cost of one method on held-out items")
    for command in (finding, probing, answering, gating, conditioning, fitting, evaluating):
        command.add_argument("--settings", required=True, help="inline JSON or FILE[#key] with the stage's sections")
    for command in (finding, probing, gating, conditioning, fitting, evaluating):
        command.add_argument("--items-folder", required=True, type=Path, help="folder of item tables")
        command.add_argument("--weights", required=True, type=Path, help="GGUF of the build that is steered or probed")
    for command in (finding, gating, conditioning, fitting, evaluating):
        command.add_argument("--texts", required=True, type=Path, help="BOLD profession_wiki.json, the neutral text")
    for command in (finding, gating, conditioning, fitting, evaluating):
        command.add_argument("--answers", required=True, type=Path, help="reference answers that `answers` wrote")
    answering.add_argument("--weights", required=True, type=Path, help="GGUF of the uncompressed build")
    answering.add_argument("--answers", required=True, type=Path, help="table of the answers to write (parquet)")
    finding.add_argument(
        "--source", required=True, help="learned, gradient, difference_of_means, pca, probe or single_layer"
    )
    finding.add_argument("--fitted-on", default="all", help="all, or all_but_fold_1 and so on, up to mitigate.folds")
    finding.add_argument("--control-vector", required=True, type=Path, help="directions at a gain of 1 to write (GGUF)")
    finding.add_argument("--training", required=True, type=Path, help="table of the steps of learning to write (CSV)")
    shipping.add_argument("--weights", required=True, type=Path, help="GGUF of the build that they were found on")
    shipping.add_argument("--control-vector", required=True, type=Path, help="their mean to write (GGUF)")
    probing.add_argument("--table", required=True, type=Path, help="table of the probes to write (CSV)")
    gating.add_argument("--gate", required=True, type=Path, help="gate to write (JSON)")
    conditioning.add_argument("--control-vector", required=True, type=Path, help="behaviour vector to write (GGUF)")
    conditioning.add_argument("--condition", required=True, type=Path, help="condition to write (JSON)")
    fitting.add_argument("--directions", required=True, type=Path, help="control vector that `ship` wrote")
    for command in (shipping, fitting):
        command.add_argument(
            "--directions-without",
            required=True,
            type=Path,
            nargs="+",
            help="what `directions` found without each fold, in order",
        )
    fitting.add_argument("--gate", type=Path, help="what gate wrote, where the vector will be used behind it")
    fitting.add_argument("--control-vector", required=True, type=Path, help="control vector to write (GGUF)")
    fitting.add_argument("--trajectory", required=True, type=Path, help="table of the rounds to write (CSV)")
    fitting.add_argument("--state", required=True, type=Path, help="gains and convergence to write (JSON)")
    describing.add_argument("--name", required=True, help="environment/model/variant of the steered build")
    describing.add_argument("--state", required=True, type=Path, help="what fit wrote (JSON)")
    describing.add_argument("--before", required=True, type=Path, help="scores of the method none")
    describing.add_argument("--after", required=True, type=Path, help="scores of the method that applies the vector")
    describing.add_argument("--cost", required=True, type=Path, help="cost record of that method")
    describing.add_argument("--gate", type=Path, help="what gate wrote, where the vector is used behind it")
    describing.add_argument("--card", required=True, type=Path, help="model card to write (Markdown)")
    evaluating.add_argument("--method", required=True, help="label of a method of `study.methods`, or its name")
    evaluating.add_argument(
        "--control-vector", type=Path, help="what fit, ship, directions or condition wrote; for methods that steer"
    )
    evaluating.add_argument("--gate", type=Path, help="what gate or condition wrote; for methods behind one")
    evaluating.add_argument("--baseline", type=Path, help="responses of the method none, for the relative reduction")
    evaluating.add_argument("--responses", required=True, type=Path, help="responses to write (parquet)")
    evaluating.add_argument("--scores", required=True, type=Path, help="score table to write (CSV)")
    evaluating.add_argument("--cost", required=True, type=Path, help="cost record to write (JSON)")
    arguments = vars(parser.parse_args(argv))
    command = arguments.pop("command")
    if command == "card":
        from edgebias.mitigate.card import write_card

        write_card(**arguments)
        return
    if command == "ship":
        from edgebias.mitigate.steering.shipped_vector import ship

        ship(**arguments)
        return
    settings = parse_settings(arguments.pop("settings"))
    if command == "directions":
        from edgebias.mitigate.steering.finding import find

        find(settings, **arguments)
    elif command == "probe":
        from edgebias.mitigate.probes.layer_probes import probe_layers

        probe_layers(settings, **arguments)
    elif command == "answers":
        from edgebias.mitigate.reference_answers import write_answers

        write_answers(settings, **arguments)
    elif command == "gate":
        from edgebias.mitigate.steering.gate_fitting import write_gate

        write_gate(settings, **arguments)
    elif command == "condition":
        from edgebias.mitigate.steering.conditional_fitting import write_conditional_steering

        write_conditional_steering(settings, **arguments)
    elif command == "fit":
        from edgebias.mitigate.steering.loop_fitting import fit

        fit(settings, **arguments)
    else:
        from edgebias.mitigate.evaluate import evaluate

        evaluate(settings, **arguments)


if __name__ == "__main__":
    run_stage(main)
