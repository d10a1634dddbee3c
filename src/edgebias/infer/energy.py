"""Energy of the machine while it answers, where Linux exposes a counter or a power sensor."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SYS = Path("/sys/class")
SECONDS_BETWEEN_READINGS = 1.0
"""Short enough that no counter wraps twice unnoticed (a RAPL counter of 262 kJ lasts 17 minutes at 250 W), and that a
power sensor is integrated."""
PACKAGE_ZONES = ("package", "dram")
"""RAPL zones that are counted. ``core`` and ``uncore`` are parts of the package, ``psys`` contains it."""
NO_COUNTER = "this machine exposes no energy counter"


@dataclass(frozen=True)
class EnergyReading:
    """Joules over a stretch of time, or None with the reason; ``source`` names the counters.

    They belong to the whole machine (or package), so other processes are in it.
    """

    joules: float | None
    source: str
    reason: str


@dataclass
class _Counter:
    """A rising number of microjoules; ``span`` is what it counts to before it begins again, None for never."""

    path: Path
    span: int | None
    last: int = 0

    def restart(self) -> None:
        self.last = _number(self.path)

    def joules(self, _seconds: float) -> float:
        now = _number(self.path)
        used = now - self.last
        if used < 0:
            used += self.span or 0
        self.last = now
        return max(used, 0) / 1e6


@dataclass
class _Sensor:
    """A power sensor in microwatts, as INA chips have it."""

    path: Path

    def restart(self) -> None:
        _number(self.path)

    def joules(self, seconds: float) -> float:
        return _number(self.path) / 1e6 * seconds


class EnergyMeter:
    """Adds up the energy of the stretches that `measuring` encloses.

    Looks for, in this order: RAPL counters of packages and their memory (``powercap/intel-rapl*``, which AMD processors
    use as well), ``hwmon/*/energy*_input``, ``hwmon/*/power*_input``. The first kind that is readable is used.

    Args:
        sys_class: where the kernel shows devices; another folder in a test.
    """

    def __init__(self, sys_class: Path = SYS) -> None:
        self._joules = 0.0
        self._lock = threading.Lock()
        self._seen = 0.0
        self._parts, self._source, self._reason = _find(sys_class)

    @property
    def reading(self) -> EnergyReading:
        """What was used so far."""
        return EnergyReading(self._joules if self._parts else None, self._source, self._reason)

    @contextmanager
    def measuring(self) -> Iterator[None]:
        """Count what is used in this block. A counter that fails in it ends the measurement, never the block."""
        if not self._parts:
            yield
            return
        self._safely(restart=True)
        stop = threading.Event()
        reader = threading.Thread(target=self._read_until, args=(stop,), name="energy", daemon=True)
        reader.start()
        try:
            yield
        finally:
            stop.set()
            reader.join()
            self._safely()

    def _read_until(self, stop: threading.Event) -> None:
        while not stop.wait(SECONDS_BETWEEN_READINGS):
            self._safely()

    def _safely(self, *, restart: bool = False) -> None:
        with self._lock:
            now = time.monotonic()
            try:
                for part in self._parts:
                    if restart:
                        part.restart()
                    else:
                        self._joules += part.joules(now - self._seen)
            except (OSError, ValueError) as error:
                self._parts, self._reason = (), f"the energy counter failed ({error})"
            self._seen = now


def _find(sys_class: Path) -> tuple[Sequence[_Counter | _Sensor], str, str]:
    refused = False
    for kind in (_rapl, _energy_counters, _power_sensors):
        parts = kind(sys_class)
        try:
            for part in parts:
                part.restart()
        except PermissionError:
            refused = True
            continue
        except (OSError, ValueError):
            continue
        if parts:
            return parts, ", ".join(str(part.path.relative_to(sys_class)) for part in parts), ""
    return (), "", "this machine has an energy counter, but only root may read it" if refused else NO_COUNTER


def _rapl(sys_class: Path) -> list[_Counter]:
    """Return the zones of ``intel-rapl``; ``intel-rapl-mmio`` shows the same packages a second time."""
    found = []
    for zone in sorted((sys_class / "powercap").glob("intel-rapl:*")):
        counter, span = zone / "energy_uj", zone / "max_energy_range_uj"
        if counter.exists() and _text(zone / "name").startswith(PACKAGE_ZONES):
            found.append(_Counter(counter, _number(span) if span.exists() else None))
    return found


def _energy_counters(sys_class: Path) -> list[_Counter]:
    return [_Counter(path, None) for path in sorted((sys_class / "hwmon").glob("hwmon*/energy*_input"))]


def _power_sensors(sys_class: Path) -> list[_Sensor]:
    return [_Sensor(path) for path in sorted((sys_class / "hwmon").glob("hwmon*/power*_input"))]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def _number(path: Path) -> int:
    return int(path.read_text(encoding="ascii"))
