"""Curves as pictures, in double logarithm: a straight line is a power, and its slope is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks import growth

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from benchmarks.growth import Curve

_INCHES = (6.4, 4.0)
_HEADROOM = 1.15  # above the highest point, which would stand on the frame


def draw(
    path: Path | None,
    curves: Mapping[str, Curve],
    *,
    title: str,
    sizes: str,
    costs: str,
    flat: bool = False,
) -> None:
    """Write a PNG of the curves, unless ``path`` is None; ``flat`` is for what should not grow."""
    if path is None:
        return
    import matplotlib as mpl  # noqa: PLC0415 -- not among what the tests install

    mpl.use("agg")
    import matplotlib.pyplot as plt  # noqa: PLC0415 -- after the choice of how to draw

    figure, axes = plt.subplots(figsize=_INCHES, layout="constrained")
    for name, curve in curves.items():
        label = name if flat else f"{name}: n^{growth.exponent(curve):.2f}"
        axes.plot(*zip(*curve, strict=True), marker="o", label=label)
    axes.set_xscale("log")
    if flat:
        axes.set_ylim(0, _HEADROOM * max(cost for curve in curves.values() for _, cost in curve))
    else:
        axes.set_yscale("log")
    axes.set(title=title, xlabel=sizes, ylabel=costs)
    axes.grid(visible=True, which="major", alpha=0.3)
    axes.legend(loc="lower left" if flat else "upper left")
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)
