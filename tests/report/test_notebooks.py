"""What votes, models and their parts look like in a notebook and on a terminal."""

from typing import Any

import numpy as np

from weaklabel import LabelModel, Votes, one_of


def test_votes_show_their_first_items(planted: Any) -> None:
    shown = planted.votes._repr_html_()
    assert "600 items x 7 sources" in shown
    assert "the first 5 items and 7 sources" in shown
    assert shown.count("<tr>") == 6
    assert "m4" in shown
    assert "m5" not in shown
    wide = Votes.from_triples([0], [4000], [1], n_classes=2, n_items=10**6, n_sources=5000)
    assert len(wide._repr_html_()) < 3000
    odd = Votes.from_codes([[one_of(0, 2), -2, 1]], 3, sources=["<b>", "c", "d"])._repr_html_()
    assert "<b>" not in odd
    assert "failed" in odd
    assert "one_of" in odd
    assert Votes.from_dense(np.zeros((0, 0), int), 2)._repr_html_()


def test_a_model_shows_sources_balance_and_findings(planted: Any) -> None:
    shown = planted.model._repr_html_()
    for told in ("adversary", "fish", "90 % interval", "Worse than chance", "7 sources"):
        assert told in shown
    assert "not fitted" in LabelModel(n_classes=2)._repr_html_()


def test_diagnostics_fit_on_a_screen(planted: Any) -> None:
    found = planted.model.diagnostics
    assert len(repr(found)) < 200
    assert "class_without_votes, worse_than_chance, constant, copies" in repr(found)
    assert found._repr_html_().count("<li>") == len(found.findings) + 1


def test_an_explanation_is_a_table(planted: Any) -> None:
    told = planted.model.explain(planted.votes, 3)
    shown = told._repr_html_()
    assert shown.count("<tr>") == len(told.source_names) + 4
    assert f"{told.probabilities[0]:.3f}" in shown


def test_a_class_without_votes_is_found_where_others_have_some() -> None:
    def kinds(votes: Votes) -> list[str]:
        return [finding.kind for finding in LabelModel(n_classes=3).fit(votes).diagnostics.findings]

    said = np.random.default_rng(0).integers(0, 2, (200, 4))
    assert "class_without_votes" in kinds(Votes.from_dense(said, 3))
    assert "class_without_votes" not in kinds(Votes.from_dense(np.concatenate([said, np.full((1, 4), 2)]), 3))
    assert "class_without_votes" not in kinds(Votes.from_dense(np.full((3, 2), -1), 3))
    with_set = [[*row] for row in said.tolist()]
    with_set[0][0] = one_of(1, 2)
    assert "class_without_votes" not in kinds(Votes.from_dense(with_set, 3))


def test_a_class_without_votes_in_a_sample_is_said_to_be_so() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, (3000, 1))
    said = np.where(rng.random((3000, 12)) < 0.8, truth, 1 - truth)
    model = LabelModel(n_classes=3, sample_rows=1000).fit(Votes.from_dense(said, 3))
    told = [finding.message for finding in model.diagnostics.findings if finding.kind == "class_without_votes"]
    assert ["in the sample of rows that was fitted" in one for one in told] == [True]
