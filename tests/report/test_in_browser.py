"""The report as Chromium shows it: sorting, filtering, colors, narrow pages, and nothing that is fetched."""

import html
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from weaklabel import Votes
from weaklabel.report import report

CONTRAST = """
const channel = (c) => { c /= 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
const read = (color) => (color.match(/[\\d.]+/g) || []).map(Number);
const under = (one) => {
  for (let at = one; at; at = at.parentElement) {
    const back = read(getComputedStyle(at).backgroundColor);
    if (back.length === 3 || back[3] === 1) return back.slice(0, 3);
  }
  return null;
};
document.querySelectorAll("details").forEach((one) => { one.open = true; });
let seen = 0, worst = [99, ""];
const keep = (value, words) => { seen += 1; if (value < worst[0]) worst = [value, words]; };
for (const one of document.body.querySelectorAll("*")) {
  const words = [...one.childNodes].filter((n) => n.nodeType === 3).map((n) => n.textContent.trim()).join("");
  if (!words || one.closest("script, pre, title")) continue;
  const style = getComputedStyle(one);
  keep(ratio(read(one.closest("svg") ? style.fill : style.color).slice(0, 3), under(one)), words);
}
const text = read(getComputedStyle(document.body).color), page = under(document.body);
for (const cell of document.querySelectorAll("svg.heat rect[fill-opacity]")) {
  const share = Number(cell.getAttribute("fill-opacity")), fill = read(getComputedStyle(cell).fill);
  keep(ratio(text, page.map((back, at) => share * fill[at] + (1 - share) * back)), cell.textContent);
}
return {seen, worst, page};
"""


@pytest.fixture(scope="module")
def page(planted: Any) -> str:
    return report(planted.votes, planted.model, gold=planted.gold, date="2026-01-31").to_html()


def test_sources_are_sorted_by_a_press_on_a_title(page: str, planted: Any, run_in_page: Callable[..., Any]) -> None:
    script = """
        const table = document.getElementById("sources-table");
        const names = () => [...table.tBodies[0].rows].map((row) => row.cells[0].textContent);
        const titles = [...table.tHead.rows[0].cells];
        const of = (name) => titles.find((one) => one.textContent === name);
        const told = [];
        for (const name of ["Estimated accuracy", "Estimated accuracy", "Source", "Votes"]) {
            of(name).querySelector("button").click();
            told.push([names(), titles.map((one) => one.getAttribute("aria-sort")).filter((one) => one !== "none")]);
        }
        const button = of("Votes").querySelector("button");
        button.focus({focusVisible: true});
        const focus = [document.activeElement === button, button.tabIndex, getComputedStyle(button).outlineStyle];
        return {told, focus, fetched: performance.getEntriesByType("resource").length};
    """
    answer = run_in_page(page, script)
    names = list(planted.votes.source_names)
    accuracy = planted.model.source_accuracy
    up = [names[at] for at in np.argsort(accuracy, kind="stable")]
    (down_found, down_told), (up_found, up_told), (by_name, _), (by_votes, _) = answer["told"]
    assert (down_told, up_told) == (["descending"], ["ascending"])
    assert [accuracy[names.index(one)] for one in down_found] == sorted(accuracy, reverse=True)
    assert [accuracy[names.index(one)] for one in up_found] == [accuracy[names.index(one)] for one in up]
    assert by_name == sorted(names, key=str.lower)
    coverage = [planted.votes.coverage[names.index(one)] for one in by_votes]
    assert coverage == sorted(coverage, reverse=True)
    assert answer["focus"] == [True, 0, "solid"]
    assert answer["fetched"] == 0


def test_sources_are_filtered(page: str, run_in_page: Callable[..., Any]) -> None:
    script = """
        const input = document.getElementById("sources-filter"), told = [];
        for (const words of ["TWICE", "worse than", "nobody", "fourth", ""]) {
            input.value = words;
            input.dispatchEvent(new Event("input"));
            const rows = [...document.getElementById("sources-table").tBodies[0].rows];
            const shown = rows.filter((row) => row.offsetHeight > 0).map((row) => row.cells[0].textContent);
            told.push([shown, document.getElementById("sources-status").textContent]);
        }
        return told;
    """
    twice, worse, nobody, fourth, every = run_in_page(page, script)
    assert twice == [["twice", "copy_of_twice"], "2 of 7 sources"]
    assert worse == [["adversary"], "1 of 7 sources"]
    assert nobody == [[], "0 of 7 sources"]
    assert fourth[0] == ["Fourth"]
    assert len(every[0]) == 7


@pytest.mark.parametrize("dark", [False, True])
def test_all_text_stands_out(page: str, run_in_page: Callable[..., Any], dark: bool) -> None:
    answer = run_in_page(page, CONTRAST, dark=dark)
    assert (sum(answer["page"]) < 100) == dark
    assert answer["seen"] > 300
    assert answer["worst"][0] >= 4.5, answer["worst"]


def test_a_phone_scrolls_in_one_direction(run_in_page: Callable[..., Any]) -> None:
    """Also where names are long words."""
    rng = np.random.default_rng(0)
    names = [f"{'averyveryverylongname' * 20}{at}" for at in range(20)]
    votes = Votes.from_dense(
        rng.integers(-1, 2, (50, 20)), 2, sources=names, items=[f"{'i' * 300}{n}" for n in range(50)]
    )
    page = report(votes, title="t" * 200, date="2026-01-31", classes=["a" * 200, "b" * 200]).to_html()
    script = """
        const frame = document.querySelector("iframe");
        if (frame.contentDocument.readyState !== "complete" || !frame.contentDocument.querySelector("h1"))
            await new Promise((done) => { frame.onload = done; });
        const inside = frame.contentDocument;
        inside.querySelectorAll("details").forEach((one) => { one.open = true; });
        const cells = inside.querySelectorAll("td").length;
        return [frame.contentWindow.innerWidth, inside.documentElement.scrollWidth, cells];
    """
    # In a frame, since the window of a browser is never so narrow.
    frame = f'<!DOCTYPE html><body><iframe style="width:360px;border:0" srcdoc="{html.escape(page)}"></iframe></body>'
    inner, scrolled, cells = run_in_page(frame, script)
    assert inner == 360
    assert scrolled <= 360
    assert cells > 100
