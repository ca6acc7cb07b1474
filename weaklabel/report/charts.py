"""Pictures as SVG, each with its text: colors come from the style sheet, so that they follow light and dark."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from weaklabel._html import Markup, element, shortened

BAR, HEIGHT = 100, 14
CELL, LABELS = 30, 170
NUMBERED = 12
"""Sources up to which the cells of a heat map show numbers."""
STRONGEST = 0.55
"""Opacity of the strongest color: text on it can still be read."""
WIDE, TALL = 340, 190
LEFT, BOTTOM, TOP = 38, 34, 14


def picture(width: float, height: float, label: str, *shapes: Markup, class_: str = "chart") -> Markup:
    """A picture that a screen reader reads by its label."""
    return element(
        "svg",
        *shapes,
        role="img",
        aria_label=label,
        class_=class_,
        viewBox=f"0 0 {width:g} {height:g}",
        width=f"{width:g}",
        height=f"{height:g}",
    )


def interval_bar(low: float, value: float, high: float, chance: float) -> Markup:
    """An estimate in [0, 1] with its interval, and a mark where chance is."""
    left, middle, right, mark = (round(2 + (BAR - 4) * one, 1) for one in (low, value, high, chance))
    return picture(
        BAR,
        HEIGHT,
        f"{100 * low:.0f} to {100 * high:.0f} %",
        element("path", d=f"M0 7h{BAR}M{mark:g} 1v12", class_="axis"),
        element("path", d=f"M{left:g} 7H{right:g}", class_="range"),
        element("circle", cx=f"{middle:g}", cy="7", r="4", class_="dot"),
        class_="bar",
    )


def share_bar(share: float, label: str) -> Markup:
    """A share in [0, 1]."""
    length = 0.0 if share != share else round(BAR * min(max(share, 0.0), 1.0), 1)
    rect = element("rect", x="0", y="2", width=f"{length:g}", height="10", class_="fill")
    return picture(BAR, HEIGHT, label, element("path", d=f"M0 13.5h{BAR}", class_="axis"), rect, class_="bar")


def heat_map(names: Sequence[str], values: NDArray[np.float64], label: str) -> Markup:
    """A square of values in [-1, 1]: positive ones in one color, negative ones in another, none where it is NaN."""
    numbered, size = len(names) <= NUMBERED, len(names) * CELL
    shapes = []
    for row, name in enumerate(names):
        y = 20 + row * CELL
        shapes.append(_text(LABELS - 6, y + 19, f"{shortened(name, 20)} · {row + 1}", "end"))
        shapes.append(_text(LABELS + row * CELL + CELL / 2, 14, str(row + 1), "middle"))
        for column, other in enumerate(names):
            value = round(float(values[row, column]), 2) + 0.0  # no -0
            if row == column or value != value:
                continue
            x = LABELS + column * CELL
            shapes.append(
                element(
                    "rect",
                    element("title", f"{shortened(name, 40)}, {shortened(other, 40)}: {value:.2f}"),
                    x=f"{x + 1}",
                    y=f"{y + 1}",
                    width=f"{CELL - 2}",
                    height=f"{CELL - 2}",
                    class_="more" if value >= 0 else "less",
                    fill_opacity=f"{STRONGEST * min(abs(value), 1.0):.2f}",
                )
            )
            if numbered:
                shapes.append(_text(x + CELL / 2, y + 19, f"{value:.2f}".replace("0.", "."), "middle", "small"))
    frame = element("rect", x=f"{LABELS}", y="20", width=f"{size}", height=f"{size}", class_="frame")
    return picture(LABELS + size + 2, size + 22, label, frame, *shapes, class_="heat")


def histogram(counts: Sequence[float], edges: Sequence[float], label: str, axis: str) -> Markup:
    """Counts between edges."""
    highest = max([*counts, 1e-9])
    x_of = _scale(edges[0], edges[-1])
    shapes = []
    for count, low, high in zip(counts, edges[:-1], edges[1:], strict=True):
        height = (TALL - BOTTOM - TOP) * count / highest
        shapes.append(
            element(
                "rect",
                element("title", f"{low:.2f} to {high:.2f}: {count:,.0f}"),
                x=f"{x_of(low) + 0.5:.1f}",
                y=f"{TALL - BOTTOM - height:.1f}",
                width=f"{max(x_of(high) - x_of(low) - 1, 1):.1f}",
                height=f"{height:.1f}",
                class_="fill",
            )
        )
    top = f"{highest:,.0f}" if highest < 1e5 else f"{highest / 1000:,.0f}k"
    return picture(WIDE, TALL, label, *_axes(edges[0], edges[-1], axis), _text(LEFT - 4, TOP + 8, top, "end"), *shapes)


def reliability(confidence: Sequence[float], right: Sequence[float], share: Sequence[float], label: str) -> Markup:
    """How often labels of each confidence are right; the line is where both are the same."""
    x_of, height = _scale(0.0, 1.0), TALL - BOTTOM - TOP
    line = element("path", d=f"M{LEFT} {TALL - BOTTOM}L{WIDE - 8} {TOP}", class_="axis dashed")
    dots = [
        element(
            "circle",
            element("title", f"confidence {c:.2f}, right {r:.2f}, {100 * s:.0f} % of the items"),
            cx=f"{x_of(c):.1f}",
            cy=f"{TALL - BOTTOM - height * r:.1f}",
            r=f"{3 + 8 * s**0.5:.1f}",
            class_="dot",
        )
        for c, r, s in zip(confidence, right, share, strict=True)
    ]
    ends = [_text(LEFT - 4, TOP + 8, "1.0", "end"), _text(LEFT - 4, TALL - BOTTOM, "0.0", "end")]
    return picture(WIDE, TALL, label, *_axes(0.0, 1.0, "probability of the label"), line, *ends, *dots)


def figure(drawing: Markup, caption: str, details: Markup) -> Markup:
    """A picture in a box that scrolls by itself, what it shows, and the same as a table."""
    box = element("div", drawing, class_="scroll", tabindex="0", role="group", aria_label=caption)
    table = element("details", element("summary", "The same as a table"), scrolling(details, caption))
    return element("figure", element("figcaption", caption), box, table)


def scrolling(inside: Markup, label: str) -> Markup:
    """A box that scrolls sideways by itself, so that the page need not; a keyboard can reach it."""
    return element("div", inside, class_="scroll", tabindex="0", role="group", aria_label=label)


def _scale(low: float, high: float) -> Callable[[float], float]:
    return lambda value: LEFT + (WIDE - 8 - LEFT) * (value - low) / max(high - low, 1e-9)


def _axes(low: float, high: float, title: str) -> list[Markup]:
    bottom = TALL - BOTTOM
    return [
        element("path", d=f"M{LEFT} {TOP}V{bottom}H{WIDE - 8}", class_="axis"),
        _text(LEFT, bottom + 14, f"{low:.2f}", "start"),
        _text(WIDE - 8, bottom + 14, f"{high:.2f}", "end"),
        _text((LEFT + WIDE) / 2, bottom + 28, title, "middle"),
    ]


def _text(x: float, y: float, text: str, anchor: str, class_: str | None = None) -> Markup:
    return element("text", text, x=f"{x:g}", y=f"{y:g}", text_anchor=anchor, class_=class_)


def legend() -> Markup:
    """What the colors of a heat map mean."""
    return element(
        "p", "Blue: above 0. Red: below 0. The stronger, the further from it. Blank: not known.", class_="note"
    )
