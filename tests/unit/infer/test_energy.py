from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebias.infer import energy
from edgebias.infer.cost import Stopwatch
from edgebias.infer.energy import NO_COUNTER, EnergyMeter


def tree(root: Path, files: Mapping[str, object]) -> Path:
    """A folder as ``/sys/class`` would be."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{content}\n")
    return root


def package(number: int = 0, *, used: int = 5_000_000, name: str = "package-0") -> dict[str, object]:
    zone = f"powercap/intel-rapl:{number}"
    return {f"{zone}/name": name, f"{zone}/energy_uj": used, f"{zone}/max_energy_range_uj": 262_143_328_850}


def test_a_machine_without_a_counter_says_so(tmp_path: Path) -> None:
    meter = EnergyMeter(tmp_path)
    with meter.measuring():
        pass
    assert (meter.reading.joules, meter.reading.reason) == (None, NO_COUNTER)


def test_packages_are_added_up_and_nothing_is_counted_twice(tmp_path: Path) -> None:
    files = package(0) | package(1, name="package-1") | package(2, name="psys")
    files |= {"powercap/intel-rapl:0:0/name": "core", "powercap/intel-rapl:0:0/energy_uj": 5_000_000}
    files |= {"powercap/intel-rapl-mmio:0/name": "package-0", "powercap/intel-rapl-mmio:0/energy_uj": 5_000_000}
    meter = EnergyMeter(tree(tmp_path, files))
    with meter.measuring():
        for number in (0, 1, 2):
            tree(tmp_path, {f"powercap/intel-rapl:{number}/energy_uj": 7_500_000})
        tree(tmp_path, {"powercap/intel-rapl:0:0/energy_uj": 6_000_000})
        tree(tmp_path, {"powercap/intel-rapl-mmio:0/energy_uj": 7_500_000})
    assert meter.reading.joules == pytest.approx(5.0)
    assert meter.reading.source == "powercap/intel-rapl:0/energy_uj, powercap/intel-rapl:1/energy_uj"


def test_what_is_used_between_two_stretches_does_not_count(tmp_path: Path) -> None:
    meter = EnergyMeter(tree(tmp_path, package(used=0)))
    for before, after in ((0, 1_000_000), (50_000_000, 52_000_000)):
        tree(tmp_path, {"powercap/intel-rapl:0/energy_uj": before})
        with meter.measuring():
            tree(tmp_path, {"powercap/intel-rapl:0/energy_uj": after})
    assert meter.reading.joules == pytest.approx(3.0)


@given(start=st.integers(0, 999_999), used=st.integers(0, 999_999))
def test_a_counter_that_wraps_loses_nothing(tmp_path_factory: pytest.TempPathFactory, start: int, used: int) -> None:
    root = tree(tmp_path_factory.mktemp("sys"), package(used=start))
    tree(root, {"powercap/intel-rapl:0/max_energy_range_uj": 1_000_000})
    meter = EnergyMeter(root)
    with meter.measuring():
        tree(root, {"powercap/intel-rapl:0/energy_uj": (start + used) % 1_000_000})
    assert meter.reading.joules == pytest.approx(used / 1e6)


def test_a_power_sensor_is_integrated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([10.0, 14.0])
    monkeypatch.setattr(energy.time, "monotonic", lambda: next(now))
    meter = EnergyMeter(tree(tmp_path, {"hwmon/hwmon0/power1_input": 3_000_000}))
    with meter.measuring():
        pass
    assert meter.reading.joules == pytest.approx(12.0)


def test_a_counter_for_root_alone_is_named_as_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree(tmp_path, package())
    readable = Path.read_text

    def read_text(path: Path, *arguments: str | None, **options: str | None) -> str:
        if path.name == "energy_uj":
            raise PermissionError(path)
        return readable(path, *arguments, **options)

    monkeypatch.setattr(Path, "read_text", read_text)
    assert "only root" in EnergyMeter(tmp_path).reading.reason


def test_a_counter_that_disappears_ends_the_measurement_and_not_the_work(tmp_path: Path) -> None:
    meter = EnergyMeter(tree(tmp_path, package()))
    done = False
    with meter.measuring():
        (tmp_path / "powercap/intel-rapl:0/energy_uj").unlink()
        done = True
    assert done
    assert meter.reading.joules is None
    assert "failed" in meter.reading.reason


def test_the_stopwatch_counts_processor_time_of_the_work_alone() -> None:
    watch = Stopwatch()
    sum(range(3_000_000))
    with watch.timing("letter", 2):
        pass
    assert watch.processor_seconds < 0.05
    with watch.timing("letter", 2):
        sum(range(6_000_000))
    assert 0.02 < watch.processor_seconds < 5
    assert watch.answers == {"letter": 4}
