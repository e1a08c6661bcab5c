from __future__ import annotations

import math
import queue
import sys
import types
from pathlib import Path

import pytest

from evenkeel.system import SystemMetrics


def test_the_machine_is_measured_in_a_thread() -> None:
    pytest.importorskip("psutil", reason="psutil is not installed: system metrics are not tested")
    measured: queue.Queue[dict[str, float]] = queue.Queue()
    system = SystemMetrics(measured.put, every=0.05)
    values = measured.get(timeout=60)
    system.close()
    assert all(name.startswith("system/") and math.isfinite(value) for name, value in values.items())
    assert 0 <= values["system/cpu_percent"] <= 100
    assert 0 < values["system/memory_percent"] <= 100
    assert values["system/process_threads"] >= 2
    rss = int(Path("/proc/self/statm").read_text().split()[1]) * 4096 if sys.platform == "linux" else None
    if rss is not None:
        assert values["system/process_memory_gb"] == pytest.approx(rss / 1e9, rel=0.5)


def test_rates_are_of_the_time_between() -> None:
    psutil = pytest.importorskip("psutil", reason="psutil is not installed: system metrics are not tested")
    if psutil.net_io_counters() is None:
        pytest.skip("this machine has no network interface")
    system = SystemMetrics(lambda _: None, every=3600)
    values = system.read()
    system.close()
    assert values["system/network_received_mb_s"] >= 0
    assert values["system/network_sent_mb_s"] >= 0


def test_what_it_raises_or_lacks_harms_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psutil", None)
    monkeypatch.setitem(sys.modules, "pynvml", None)
    system = SystemMetrics(lambda _: None, every=0.01)
    assert system.read() == {}
    system.close()


def test_what_on_values_raises_is_ignored_and_measuring_goes_on() -> None:
    pytest.importorskip("psutil", reason="psutil is not installed: system metrics are not tested")
    calls: queue.Queue[int] = queue.Queue()

    def fail(values: dict[str, float]) -> None:
        calls.put(len(values))
        raise RuntimeError("no run")

    system = SystemMetrics(fail, every=0.01)
    assert calls.get(timeout=60) > 0
    assert calls.get(timeout=60) > 0
    system.close()


class FakeNvml(types.ModuleType):
    """NVML of a machine with three GPUs, the last of which has no sensors: no machine of the tests has a real one."""

    NVML_TEMPERATURE_GPU = 0

    def __init__(self) -> None:
        super().__init__("pynvml")

    def nvmlInit(self) -> None: ...  # noqa: N802

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return 3

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        return index

    def nvmlDeviceGetUtilizationRates(self, device: int) -> types.SimpleNamespace:  # noqa: N802
        if device == 2:
            raise RuntimeError("Not Supported")
        return types.SimpleNamespace(gpu=50 + device)

    def nvmlDeviceGetMemoryInfo(self, device: int) -> types.SimpleNamespace:  # noqa: N802
        return types.SimpleNamespace(used=20e9, total=80e9)

    def nvmlDeviceGetTemperature(self, device: int, sensor: int) -> int:  # noqa: N802
        return 60 + sensor

    def nvmlDeviceGetPowerUsage(self, device: int) -> int:  # noqa: N802
        return 350_500


def test_gpus_are_those_that_the_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psutil", None)
    monkeypatch.setitem(sys.modules, "pynvml", FakeNvml())
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,2,7")
    system = SystemMetrics(lambda _: None, every=3600)
    values = system.read()
    system.close()
    shared = {"memory_used_gb": 20.0, "memory_percent": 25.0, "temperature_c": 60.0, "power_w": 350.5}
    assert values == {
        "system/gpu1/utilization_percent": 51.0,
        **{f"system/gpu1/{name}": value for name, value in shared.items()},
        **{f"system/gpu2/{name}": value for name, value in shared.items()},
    }


@pytest.mark.parametrize(("visible", "gpus"), [(None, {0, 1, 2}), ("", set()), ("GPU-5", {0, 1, 2}), ("2", {2})])
def test_gpus_that_are_named_otherwise_are_all_measured(
    monkeypatch: pytest.MonkeyPatch, visible: str | None, gpus: set[int]
) -> None:
    monkeypatch.setitem(sys.modules, "psutil", None)
    monkeypatch.setitem(sys.modules, "pynvml", FakeNvml())
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    system = SystemMetrics(lambda _: None, every=3600)
    names = system.read()
    system.close()
    assert {int(name.split("/")[1][3:]) for name in names} == gpus
