"""What the report says, that it is a sound page, and that long lists stay short."""

import datetime
import html
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from weaklabel import LabelModel, Votes, one_of
from weaklabel.analysis import effective_votes
from weaklabel.errors import InvalidArgumentError, NotFittedError
from weaklabel.report import report

CELLS: list[list[object]] = [[one_of(0, 1), 0], [1, -1], [one_of(1, 2), 2]]
SETS = Votes.from_dense(CELLS * 5, 3)
VOID = {"meta", "input", "br", "hr"}


class Page(HTMLParser):
    """Reads a page, and fails where tags do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        assert len(dict(attrs)) == len(attrs)
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self._open):
            self.words.append(data)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.words))


@pytest.fixture(scope="module")
def page(planted: Any) -> Page:
    return Page(report(planted.votes, planted.model, gold=planted.gold, date="2026-01-31").to_html())


def test_what_was_planted_is_named_with_what_to_do(planted: Any, page: Page) -> None:
    said = planted.votes.to_dense()[:200, planted.votes.source_names.index("adversary")]
    right = int((said == planted.gold[:200]).sum())
    for told in (
        "Copies of each other, counted once: 'twice', 'copy_of_twice'. Keep one of each",
        f"Worse than chance: 'adversary' ({right} of 200 right on gold). A fit to votes alone may take them for right.",
        "Always the same vote, which tells nothing: 'constant'. Let them abstain, or remove them.",
        "No source votes for 'fish': items of such a class get other labels. Add a source that votes for it, or gold",
    ):
        assert told in page.text
    for beside in ("copy of 'copy_of_twice'", "worse than chance", "always the same vote"):
        assert beside in page.text
    assert "twice and copy_of_twice (1.00) agree most" in page.text


def test_gold_shows_an_adversary_that_votes_alone_take_for_right() -> None:
    """It votes on every item, and the others, all better, on few."""
    rng, n = np.random.default_rng(0), 1000
    truth = rng.integers(0, 2, n)
    said = {f"rule{at}": (0.8, 0.06) for at in range(6)} | {"adversary": (0.2, 1.0)}
    right = [np.where(rng.random(n) < accuracy, truth, 1 - truth) for accuracy, _ in said.values()]
    voted = [rng.random(n) < coverage for _, coverage in said.values()]
    table = np.where(np.stack(voted, axis=1), np.stack(right, axis=1), -1)
    votes = Votes.from_dense(table, 2, sources=list(said))
    model = LabelModel(classes=["ham", "spam"]).fit(votes)
    alone = report(votes, model, date="x")
    assert "adversary" not in " ".join(alone.findings)
    assert "A source that is mostly wrong shows only where enough others contradict it" in Page(alone.to_html()).text
    gold = np.where(np.arange(n) < 50, truth, -1)
    made = report(votes, model, gold=gold, date="x")
    n_right = int((table[:50, 6] == truth[:50]).sum())
    assert f"Worse than chance: 'adversary' ({n_right} of 50 right on gold)." in made.findings[0]
    assert made.verdict.startswith("Do not use these labels")
    assert "Without gold" not in Page(made.to_html()).text


def test_a_screen_reader_finds_its_way(page: Page) -> None:
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert all(attributes["href"][1:] in ids for attributes in page.of("a") if attributes["href"])
    assert len(page.of("main")) == len(page.of("header")) == len(page.of("h1")) == 1
    assert all(attributes["aria-labelledby"] in ids for attributes in page.of("section"))
    assert all(attributes["role"] == "img" and attributes["aria-label"] for attributes in page.of("svg"))
    assert len(page.of("svg")) > 30
    assert len(page.of("caption")) == len(page.of("table"))
    assert all(attributes.get("scope") in ("col", "row") for attributes in page.of("th"))
    assert page.of("html") == [{"lang": "en"}]
    assert page.of("label")[0]["for"] == page.of("input")[0]["id"]


def test_nothing_is_fetched(planted: Any, page: Page) -> None:
    assert not page.of("link") + page.of("img") + page.of("iframe")
    assert not [attributes for _, attributes in page.tags if "src" in attributes]
    text = report(planted.votes, planted.model).to_html("x")
    assert "://" not in text
    assert "url(" not in text


def test_numbers_are_those_of_the_model_and_gold(planted: Any, page: Page) -> None:
    low, high = planted.model.source_accuracy_interval[0]
    assert f"{100 * low:.1f} to {100 * high:.1f}" in page.text
    known = planted.gold >= 0
    for column, _ in enumerate(planted.votes.source_names):
        said = planted.votes.to_dense()[:, column]
        judged = known & (said >= 0)
        right = (said == planted.gold)[judged].mean()
        assert f"{100 * right:.1f} % of {judged.sum()}" in page.text
    hard = planted.model.predict_proba(planted.votes).argmax(1)
    assert f"{100 * (hard == planted.gold)[known].mean():.1f} % of the labels are right on 200 items" in page.text
    by_gold = effective_votes(planted.votes, planted.gold)
    assert f"worth {by_gold.number:.1f} independent votes" in page.text
    assert "by gold of 200 items." in page.text
    for share in planted.model.class_balance:
        assert f"{100 * share:.1f} %" in page.text


def test_contested_items_carry_what_each_source_contributes(planted: Any, page: Page) -> None:
    found = re.search(r"Contributions on (m\d+), for (\w+) \(right\) against (\w+)", page.text)
    assert found is not None
    told = planted.model.explain(planted.votes, int(found[1][1:]))
    first, second = (told.classes.index(name) for name in found.groups()[1:])
    assert (first, second) == tuple(np.argsort(-told.probabilities, kind="stable")[:2])
    for gain in told.sources[:, first] - told.sources[:, second]:
        assert f"{gain:+.2f}" in page.text
    assert len(set(told.votes.tolist())) > 1


def test_the_same_input_gives_the_same_bytes(planted: Any, tmp_path: Path) -> None:
    made = [report(planted.votes, planted.model, gold=planted.gold, date=datetime.date(2026, 1, 31)) for _ in range(2)]
    for number, one in enumerate(made):
        one.save(tmp_path / f"{number}.html")
    assert (tmp_path / "0.html").read_bytes() == (tmp_path / "1.html").read_bytes()
    assert "2026-01-31" in (tmp_path / "0.html").read_text()
    (undated := report(planted.votes, planted.model)).save(tmp_path / "2.html")
    assert re.search(r"<time>20\d\d-\d\d-\d\d</time>", (tmp_path / "2.html").read_text())
    assert undated.to_html("1999-12-31").count("1999-12-31") == 2


def test_a_model_is_fitted_where_there_is_none(planted: Any) -> None:
    with_names = report(planted.votes, classes=("cat", "dog", "bird", "fish"), date="x")
    assert with_names.to_html() == report(planted.votes, planted.model, date="x").to_html()
    assert "No source votes for '3'" in str(report(planted.votes.to_dense(), classes=list("0123")).findings)


def test_names_are_text_whatever_they_hold() -> None:
    rng = np.random.default_rng(0)
    names = ["<script>alert(1)</script>", '"><img src=x onerror=y>', "nul\0date\0", "half \ud800", "&amp;"]
    votes = Votes.from_dense(rng.integers(0, 2, (60, 5)), 2, sources=names, items=[f"</td>{n}" for n in range(60)])
    page = Page(report(votes, classes=["</style>", "'b'"], title="</title><b>", date="<i>").to_html())
    assert len(page.of("script")) == 1
    assert not page.of("img") + page.of("b") + page.of("i")
    for text in ("<script>alert(1)</script>", '"><img src=x onerror=y>', "&amp;", "</style>", "</title><b>"):
        assert text in page.text


def test_many_sources_and_items_are_cut_and_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    from weaklabel.report import facts

    monkeypatch.setattr(facts, "MOST_ITEMS", 500)
    rng, n_sources, n_votes = np.random.default_rng(0), 600, 20_000
    items, sources = rng.integers(0, 2000, n_votes), rng.integers(0, n_sources, n_votes)
    names = [f"{'a long name of a labeling function ' * 5}{at}" for at in range(n_sources)]
    labels = np.where(rng.random(n_votes) < 0.8, items % 5, rng.integers(0, 5, n_votes))
    votes = Votes.from_triples(items, sources, labels, n_classes=5, n_items=2000, source_names=names)
    text = report(votes, gold=np.arange(2000) % 5, date="x").to_html()
    assert len(text.encode()) < 1_000_000
    assert "400 of 600 sources are listed" in text
    assert "30 of 600 sources are compared" in text
    assert "500 of 2,000" in text
    assert "2,000 items have gold, of which 500 were drawn" in text


@pytest.mark.parametrize(
    "votes",
    [
        Votes.from_dense(np.full((3, 2), -1), 2),
        Votes.from_dense(np.zeros((0, 2), int), 2),
        Votes.from_dense(np.zeros((4, 1), int), 2),
        SETS,
    ],
    ids=["no votes", "no items", "one source", "sets"],
)
def test_votes_that_say_little_are_reported_all_the_same(votes: Votes) -> None:
    page = Page(report(votes, date="x").to_html())
    assert "to compare" in page.text or "not compared" in page.text


def test_sources_of_one_class_each_are_not_compared() -> None:
    rng = np.random.default_rng(0)
    said = np.where(rng.random((200, 4)) < 0.5, [0, 1, 0, 1], -1)
    made = report(Votes.from_dense(said, 2), date="x").to_html()
    assert "Each source votes for one class only" in made
    said[:, 3] = rng.integers(0, 2, 200)
    made = report(Votes.from_dense(said, 2), date="x").to_html()
    assert "Kappa beside a source that votes for one class only is always 0" in made
    assert "Agreement beyond chance" not in made
    assert "Correlation of errors" in made


def test_what_does_not_fit_is_refused(planted: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="those of the model cat, dog"):
        report(planted.votes, planted.model, classes=["a", "b"])
    with pytest.raises(NotFittedError):
        report(planted.votes, LabelModel(classes=planted.model.classes))
    with pytest.raises(InvalidArgumentError, match="gold holds no label"):
        report(planted.votes, planted.model, gold=np.full(600, -1))
    with pytest.raises(InvalidArgumentError, match="fitted without the source 'other'"):
        report(Votes.from_dense([[0]], 4, sources=["other"]), planted.model)
    with pytest.raises(InvalidArgumentError, match="give n_classes"):
        report([[0, 1]])


def test_the_verdict_goes_by_gold_where_there_is_enough(planted: Any) -> None:
    assert report(planted.votes, planted.model).verdict.startswith("Usable with care: look at")
    wrong = np.where(planted.gold >= 0, (planted.gold + 1) % 3, -1)  # as the adversary says
    assert report(planted.votes, planted.model, gold=wrong).verdict.startswith("Do not use these labels")
    counts = planted.votes.counts()
    as_most = np.where(planted.gold >= 0, counts.argmax(1), -1)
    assert report(planted.votes, planted.model, gold=as_most).verdict.startswith("Majority vote is better here")
    assert report(Votes.from_dense(np.full((3, 2), -1), 2)).verdict.startswith("There is nothing to rely on")
    seen = LabelModel(classes=planted.model.classes).fit(planted.votes, gold=planted.gold)
    assert "these scores flatter" in report(planted.votes, seen, gold=planted.gold).to_html()


def test_notebooks_show_the_report_in_a_frame(planted: Any) -> None:
    made = report(planted.votes, planted.model, date="x")
    frame = Page(made._repr_html_()).of("iframe")[0]
    assert frame["srcdoc"] == made.to_html()
    assert frame["sandbox"] == "allow-scripts"
    assert html.unescape(repr(made)).startswith("Report('Label report': Usable")
