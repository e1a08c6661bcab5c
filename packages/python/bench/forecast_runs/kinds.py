"""
The runs of the recipe, by kind. Each kind has runs that stay healthy and runs that diverge: rates were chosen on both
sides of what its models stand.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

from gpt import Shape
from plan import Plan, Rates

SMALL = Shape(layers=2, dim=16, heads=2, context=16)
"""For runs of many steps."""


def all_plans() -> list[Plan]:
    """In the order in which they are trained; names are unique."""
    kinds = {
        "warm-up too high": warm_up_too_high(),
        "rate jump that stays": jump(),
        "batch growth": batch_growth(),
        "data change": data_change(),
        "bf16 operands": bf16(),
        "decay to zero": decay_to_zero(),
        "restarts": restarts(),
        "mlra": variant(Shape(attention="mlra")),
        "qk-norm": variant(Shape(attention="qk-norm")),
        "depth": large(Shape(layers=8), 300),
        "long": long(),
        "width": large(Shape(dim=96), 240),
        "very long": very_long(),
    }
    return [
        replace(plan, name=f"{kind.replace(' ', '-')}-{at:02}", kind=kind, seed=1000 * place + at)
        for place, (kind, plans) in enumerate(kinds.items())
        for at, plan in enumerate(plans)
    ]


def plan(rates: Rates, **options: object) -> Plan:
    """Not yet named, nor seeded."""
    return Plan("", "", rates, 0, **options)  # type: ignore[arg-type]


def ramp(start: int, factor: float, until: int = 1_000_000) -> tuple[int, float, int]:
    return (start, factor, until)


def warm_up_too_high() -> Iterator[Plan]:
    for warmup, peak in product((5, 60, 200, 400), (0.03, 0.1, 0.2, 0.4, 0.7, 1.2)):
        yield plan(Rates(peak, warmup), steps=550)


def jump() -> Iterator[Plan]:
    for peak, (at, factor) in product((2e-3, 8e-3), product((120, 250), (2, 5, 15, 40, 120, 400))):
        yield plan(Rates(peak, jumps=((at, factor),)), steps=450)


def batch_growth() -> Iterator[Plan]:
    for peak, factor in product((3e-3, 3e-2, 0.1, 0.3), (1, 2, 4, 12)):
        jumps = ((150, float(factor)),)
        yield plan(Rates(peak, jumps=jumps), steps=400, batch=1, growth=(150, 4))
    for factor in (1.02, 1.03, 1.05):
        yield plan(Rates(4e-3, ramp=ramp(200, factor)), steps=500, batch=1, growth=(150, 4))


def data_change() -> Iterator[Plan]:
    for peak, changes in product((3e-3, 3e-2, 0.1, 0.2), ((150,), (100, 220), (60, 120, 180, 240))):
        yield plan(Rates(peak, schedule="cosine"), steps=400, changes=changes)
    for factor in (5, 20, 60, 200):
        yield plan(Rates(4e-3, jumps=((200, float(factor)),)), steps=400, changes=(200,))
    for factor in (1.02, 1.03, 1.05, 1.08):
        yield plan(Rates(4e-3, ramp=ramp(180, factor)), steps=480, changes=(150,))


def bf16() -> Iterator[Plan]:
    shape = Shape(bf16=True)
    for peak, warmup in product((3e-3, 3e-2, 0.15, 0.5, 1.0), (40, 200)):
        yield plan(Rates(peak, warmup), steps=400, shape=shape)
    for peak, factor in product((2e-3, 1e-2), (1.015, 1.03, 1.06)):
        yield plan(Rates(peak, ramp=ramp(100, factor)), steps=480, shape=shape)
    for peak, warmup in product((2e-3, 2e-2, 0.2), (10, 100)):
        yield plan(Rates(peak, warmup, "cosine"), steps=400, shape=replace(shape, norm="post", layers=6))


def decay_to_zero() -> Iterator[Plan]:
    for peak, schedule in product((3e-3, 2e-2, 0.1, 0.3, 0.6, 1.2), ("cosine", "linear", "wsd")):
        yield plan(Rates(peak, 60, schedule, floor=0), steps=400)
    for peak in (0.05, 0.2, 0.8):
        yield plan(Rates(peak, 250, "linear", floor=0), steps=400)


def restarts() -> Iterator[Plan]:
    for peak, period in product((4e-3, 4e-2, 0.15, 0.4, 0.8), (60, 150)):
        yield plan(Rates(peak, 40, "restarts", period=period), steps=500)
    for peak, factor in product((4e-3, 3e-2), (3.0, 10.0, 40.0)):
        jumps = ((190, factor), (340, factor))  # each of the later peaks is higher than the one before
        yield plan(Rates(peak, 40, "restarts", period=150, jumps=jumps), steps=500)


def variant(shape: Shape) -> Iterator[Plan]:
    """Of attention."""
    for peak, warmup in product((3e-3, 3e-2, 0.15, 0.4, 0.8), (40, 200)):
        yield plan(Rates(peak, warmup), steps=400, shape=shape)
    for peak, factor in product((2e-3, 1e-2), (1.015, 1.03, 1.06)):
        yield plan(Rates(peak, ramp=ramp(100, factor)), steps=480, shape=shape)
    for factor in (10.0, 100.0):
        yield plan(Rates(4e-3, jumps=((200, factor),)), steps=400, shape=shape)
    yield plan(Rates(3e-3, 20, "cosine"), steps=400, shape=replace(shape, norm="post"))
    yield plan(Rates(5e-2, 20, "cosine", floor=0), steps=400, shape=replace(shape, norm="post"))


def large(shape: Shape, steps: int) -> Iterator[Plan]:
    """Four times the width or the depth."""
    for peak in (1e-3, 4e-3, 1.5e-2, 6e-2, 0.25):
        yield plan(Rates(peak, 40, "cosine"), steps=steps, shape=shape)
    for peak, factor in product((1e-3, 4e-3), (1.03, 1.06)):
        yield plan(Rates(peak, 40, ramp=ramp(90, factor)), steps=steps, shape=shape)
    yield plan(Rates(2e-3, 20, jumps=((120, 50.0),)), steps=steps, shape=shape)


def long() -> Iterator[Plan]:
    """10,000 steps."""
    options = {"steps": 10_000, "shape": SMALL, "micro_batches": 2}
    for peak, schedule in product((1e-3, 5e-3, 2e-2, 6e-2), ("constant", "cosine", "linear", "wsd")):
        yield plan(Rates(peak, 200, schedule, floor=0 if schedule == "wsd" else 0.1), **options)
    for peak, factor in product((2e-3, 1e-2), (1.0008, 1.0015, 1.003, 1.01)):
        yield plan(Rates(peak, 200, ramp=ramp(4000, factor)), **options)
    for peak, factor in product((2e-3, 1e-2), (4.0, 20.0, 100.0, 400.0)):
        yield plan(Rates(peak, 200, jumps=((6000, factor),)), **options)
    for peak, warmup in product((0.1, 0.4, 1.0), (1000, 5000)):
        yield plan(Rates(peak, warmup), **options)
    for peak in (5e-3, 5e-2):
        yield plan(Rates(peak, 200, "restarts", period=1000), **options)
        yield plan(Rates(peak, 200, "cosine"), changes=(3000, 6000), **options)
    for peak in (5e-3, 3e-2):
        yield plan(Rates(peak, 200, "cosine", floor=0), clip=1.0, **options)


def very_long() -> Iterator[Plan]:
    """50,000 steps."""
    options = {"steps": 50_000, "shape": SMALL, "micro_batches": 2}
    for peak, schedule in product((1e-3, 3e-3, 1e-2, 3e-2), ("constant", "cosine", "linear", "wsd")):
        yield plan(Rates(peak, 500, schedule, floor=0.0 if schedule == "linear" else 0.1), **options)
    for peak, period in product((3e-3, 3e-2), (2000, 10_000)):
        yield plan(Rates(peak, 500, "restarts", period=period), **options)
    for peak in (3e-3, 3e-2):
        yield plan(Rates(peak, 500, "cosine"), changes=(12_000, 30_000), **options)
    for peak, factor in product((2e-3, 1e-2), (1.0001, 1.0003, 1.001)):
        yield plan(Rates(peak, 500, ramp=ramp(25_000, factor)), **options)
    for factor in (20.0, 100.0, 400.0):
        yield plan(Rates(5e-3, 500, jumps=((30_000, factor),)), **options)
    yield plan(Rates(0.5, 20_000), **options)
