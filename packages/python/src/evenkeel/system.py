"""What the machine of a run does, as custom scalars.

| name, after `system/`                                         | meaning                                           |
| ------------------------------------------------------------- | ------------------------------------------------- |
| `cpu_percent`, `memory_percent`, `memory_used_gb`             | of the machine; 100 % of the CPU is all its cores |
| `process_cpu_percent`, `process_memory_gb`, `process_threads` | of this process; 100 % of its CPU is one core     |
| `disk_used_percent`                                           | of the disk that has the current folder           |
| `disk_read_mb_s`, `disk_write_mb_s`                           | of all disks                                      |
| `network_received_mb_s`, `network_sent_mb_s`                  | of all interfaces                                 |
| `gpuN/utilization_percent`, `gpuN/temperature_c`              | of GPU N, by its number in NVML                   |
| `gpuN/memory_used_gb`, `gpuN/memory_percent`, `gpuN/power_w`  | of GPU N                                          |

MB and GB are powers of ten.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from typing import Any, Callable, Protocol

_GB = 1e9
_MB = 1e6


class _Source(Protocol):
    def read(self) -> Iterator[tuple[str, float]]:
        """Names without `system/`, and values. Values that cannot be had are left out."""


class SystemMetrics:
    """Measures the machine every few seconds, in a thread.

    Needs psutil for all but GPUs, and pynvml (`nvidia-ml-py`) for these; measures what it finds, maybe nothing.

    Args:
        on_values: is given values by name, such as `system/cpu_percent`. What it raises is ignored.
        every: seconds from one time to the next. The first values come after as long.
    """

    def __init__(self, on_values: Callable[[dict[str, float]], None], every: float = 10.0) -> None:
        self._on_values = on_values
        self._every = every
        self._sources = [source for source in (_open(_Host), _open(_Gpus)) if source is not None]
        self._closed = threading.Event()
        if self._sources:
            threading.Thread(target=self._run, name="evenkeel-system", daemon=True).start()

    def read(self) -> dict[str, float]:
        """The values now; rates are over the time since they were read last."""
        values: dict[str, float] = {}
        for source in self._sources:
            with contextlib.suppress(Exception):
                for name, value in source.read():
                    values[f"system/{name}"] = value
        return values

    def close(self) -> None:
        """Measures no more."""
        self._closed.set()

    def _run(self) -> None:
        while not self._closed.wait(self._every):
            values = self.read()
            if values:
                with contextlib.suppress(Exception):
                    self._on_values(values)


def _open(source: Callable[[], _Source]) -> _Source | None:
    """None where its library is absent, or finds nothing to measure."""
    try:
        return source()
    except Exception:
        return None


class _Host:
    def __init__(self) -> None:
        import psutil

        self._psutil = psutil
        self._process = psutil.Process()
        self._rates = _Rates()
        for _ in self.read():  # the first values of processors and rates have nothing that they are since
            pass

    def read(self) -> Iterator[tuple[str, float]]:
        for part in (self._cpu, self._memory, self._process_use, self._disk, self._network):
            with contextlib.suppress(Exception):  # not every system has each of them
                yield from part()

    def _cpu(self) -> Iterator[tuple[str, float]]:
        yield "cpu_percent", self._psutil.cpu_percent()

    def _memory(self) -> Iterator[tuple[str, float]]:
        memory = self._psutil.virtual_memory()
        yield "memory_percent", memory.percent
        yield "memory_used_gb", (memory.total - memory.available) / _GB

    def _process_use(self) -> Iterator[tuple[str, float]]:
        yield "process_memory_gb", self._process.memory_info().rss / _GB
        yield "process_cpu_percent", self._process.cpu_percent()
        yield "process_threads", float(self._process.num_threads())

    def _disk(self) -> Iterator[tuple[str, float]]:
        yield "disk_used_percent", self._psutil.disk_usage(os.getcwd()).percent  # noqa: PTH109
        total = self._psutil.disk_io_counters()
        yield from self._rates.of("disk_read_mb_s", total.read_bytes / _MB)
        yield from self._rates.of("disk_write_mb_s", total.write_bytes / _MB)

    def _network(self) -> Iterator[tuple[str, float]]:
        total = self._psutil.net_io_counters()
        yield from self._rates.of("network_received_mb_s", total.bytes_recv / _MB)
        yield from self._rates.of("network_sent_mb_s", total.bytes_sent / _MB)


class _Rates:
    """Counters as what they grow by in a second."""

    def __init__(self) -> None:
        self._former: dict[str, tuple[float, float]] = {}

    def of(self, name: str, total: float) -> Iterator[tuple[str, float]]:
        now = time.monotonic()
        former = self._former.get(name)
        self._former[name] = (now, total)
        if former and now > former[0] and total >= former[1]:
            yield name, (total - former[1]) / (now - former[0])


class _Gpus:
    """NVIDIA's, those that the process may use."""

    def __init__(self) -> None:
        import pynvml

        pynvml.nvmlInit()
        self._nvml = pynvml
        count = pynvml.nvmlDeviceGetCount()
        self._devices = [(at, pynvml.nvmlDeviceGetHandleByIndex(at)) for at in _visible(count)]
        if not self._devices:
            raise RuntimeError("no GPU is visible")

    def read(self) -> Iterator[tuple[str, float]]:
        for at, device in self._devices:
            for part in (self._utilization, self._memory, self._temperature, self._power):
                with contextlib.suppress(Exception):  # not every GPU has each of them
                    yield from ((f"gpu{at}/{name}", value) for name, value in part(device))

    def _utilization(self, device: Any) -> Iterator[tuple[str, float]]:
        yield "utilization_percent", float(self._nvml.nvmlDeviceGetUtilizationRates(device).gpu)

    def _memory(self, device: Any) -> Iterator[tuple[str, float]]:
        memory = self._nvml.nvmlDeviceGetMemoryInfo(device)
        yield "memory_used_gb", memory.used / _GB
        yield "memory_percent", 100 * memory.used / memory.total

    def _temperature(self, device: Any) -> Iterator[tuple[str, float]]:
        celsius = self._nvml.nvmlDeviceGetTemperature(device, self._nvml.NVML_TEMPERATURE_GPU)
        yield "temperature_c", float(celsius)

    def _power(self, device: Any) -> Iterator[tuple[str, float]]:
        yield "power_w", self._nvml.nvmlDeviceGetPowerUsage(device) / 1000  # of milliwatts


def _visible(count: int) -> list[int]:
    """Indices of the GPUs that CUDA shows to this process; all where it names them in another way than by number."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is None:
        return list(range(count))
    try:
        return [at for at in map(int, filter(None, named.split(","))) if 0 <= at < count]
    except ValueError:
        return list(range(count))
