"""What the labels are like: class balance, uncertainty, and how right they are where gold is known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from weaklabel._html import Markup, element, joined, shortened, table
from weaklabel.analysis import estimate_accuracy, evaluate
from weaklabel.model import LabelModel, MajorityVote
from weaklabel.report.beside_gold import has_seen_gold
from weaklabel.report.charts import figure, histogram, reliability, scrolling, share_bar
from weaklabel.report.facts import Facts, Known, percent

MOST_CLASSES = 60
"""Classes that are listed."""
BINS = 10


def balance_section(facts: Facts) -> list[Markup]:
    """Share of each class: by the model, of the votes, and among known labels."""
    balance, votes = np.asarray(facts.model.class_balance, np.float64), facts.class_votes
    cast = votes.sum(1, keepdims=True)
    shares = (votes / np.maximum(cast, 1)).sum(0) / max(int((cast > 0).sum()), 1)
    order = np.argsort(-balance, kind="stable")[:MOST_CLASSES] if len(balance) > MOST_CLASSES else range(len(balance))
    titles = ["Class", "Estimated share", "Share of the votes", *([] if facts.known is None else ["Share in gold"])]
    rows = []
    for k in order:
        row: list[object] = [shortened(facts.model.classes[k]), _share(balance[k]), _share(shares[k])]
        if facts.known is not None:
            row.append(_share(float((facts.known.labels == k).mean())))
        rows.append(row)
    notes = "Votes of an item are shared out, so that each item with votes counts once."
    if len(balance) > MOST_CLASSES:
        notes += f" The {MOST_CLASSES} largest of {len(balance):,} classes are listed."
    caption = "Class balance"
    return [element("p", notes, class_="note"), scrolling(table(caption, titles, rows), caption)]


def _share(share: float) -> Markup:
    return joined([share_bar(float(share), percent(float(share))), " ", percent(float(share))])


def uncertainty_section(facts: Facts) -> list[Markup]:
    """How sure the labels are."""
    if not len(facts.soft):
        return [element("p", "There are no items.")]
    top = facts.soft.max(1)
    edges = np.linspace(1 / facts.model.n_classes, 1, 2 * BINS + 1)
    counts, _ = np.histogram(np.clip(top, edges[0], 1), edges)
    silent = float((facts.class_votes.sum(1) == 0).mean())
    mean, low, high = (float(one.mean()) for one in (top, top < 0.7, top >= 0.95))
    words = (
        f"The likeliest class has probability {percent(mean)} on the mean; {percent(low)} of the items are below 70 %, "
        f"{percent(high)} at 95 % or above. {percent(silent)} of the items have no vote."
    )
    caption = "Items by the probability of their likeliest class"
    lines = [
        [f"{low:.3f} to {high:.3f}", f"{count:,}"]
        for low, high, count in zip(edges[:-1], edges[1:], counts.tolist(), strict=True)
    ]
    drawing = histogram(counts.tolist(), edges.tolist(), f"Histogram. {words}", "probability of the likeliest class")
    return [element("p", words), figure(drawing, caption, table(caption, ["probability", "items"], lines))]


def gold_section(facts: Facts) -> list[Markup]:
    """Scores on known labels, and whether probabilities are what they say."""
    known = facts.known
    if known is None:
        return [element("p", "No gold was given: nothing here says how right the labels are but the model itself.")]
    seen = has_seen_gold(facts.model)
    words = f"{known.n_known:,} items have gold"
    words += f", of which {len(known.labels):,} were drawn. " if len(known.labels) < known.n_known else ". "
    words += (
        "The model was fitted with gold: where it is the same, these scores flatter."
        if seen
        else "The model was fitted without it."
    )
    caption, titles, lines, drawing = _calibration(known)
    scores = _scores(facts, known, seen)
    return [
        element("p", words),
        scrolling(scores, "Scores on gold"),
        figure(drawing, caption, table(caption, titles, lines)),
    ]


def accuracies(model: LabelModel, known: Known) -> tuple[float, float]:
    """On gold: of the model, and of majority vote."""
    majority = MajorityVote(classes=model.classes).predict_proba(known.votes)
    return evaluate(known.soft, known.labels).accuracy, evaluate(majority, known.labels).accuracy


def _scores(facts: Facts, known: Known, seen: bool) -> Markup:
    ours = evaluate(known.soft, known.labels)
    majority = evaluate(MajorityVote(classes=facts.model.classes).predict_proba(known.votes), known.labels)
    accuracy = percent(ours.accuracy)
    if not seen:
        soft = np.concatenate([facts.soft, known.soft]) if facts.is_sampled else facts.soft
        every = np.full(len(soft), -1, np.int32)
        every[len(facts.soft) + np.arange(len(known.labels)) if facts.is_sampled else known.positions] = known.labels
        estimate = estimate_accuracy(soft.argmax(1), soft, every)
        accuracy += f" (all items, by gold and soft labels: {100 * estimate.low:.1f} to {100 * estimate.high:.1f})"
    rows = [
        ["Accuracy", accuracy, percent(majority.accuracy)],
        ["Negative log-likelihood", f"{ours.nll:.3f}", f"{majority.nll:.3f}"],
        ["Brier score", f"{ours.brier:.3f}", f"{majority.brier:.3f}"],
        ["Calibration error (ECE)", f"{ours.ece:.3f}", f"{majority.ece:.3f}"],
    ]
    return table("Scores on items with gold", ["", "Label model", "Majority vote"], rows)


def _calibration(known: Known) -> tuple[str, list[str], list[list[str]], Markup]:
    top = known.soft.max(1).astype(np.float64)
    right = _right(known)
    at = np.minimum((top * BINS).astype(int), BINS - 1)
    n = np.bincount(at, minlength=BINS)
    filled = np.flatnonzero(n)
    confidence = (np.bincount(at, top, BINS)[filled] / n[filled]).tolist()
    correct = (np.bincount(at, right, BINS)[filled] / n[filled]).tolist()
    share = (n[filled] / n.sum()).tolist()
    worst = max(range(len(filled)), key=lambda one: share[one] * abs(confidence[one] - correct[one]))
    words = (
        f"Reliability diagram of {len(top):,} items with gold: of the labels with a probability of "
        f"{percent(confidence[worst])} on the mean, {percent(correct[worst])} are right"
    )
    lines = [
        [f"{bin_ / BINS:.1f} to {(bin_ + 1) / BINS:.1f}", percent(c), percent(r), f"{count:,}"]
        for bin_, c, r, count in zip(filled.tolist(), confidence, correct, n[filled].tolist(), strict=True)
    ]
    caption = "Reliability: how often labels of each probability are right"
    titles = ["probability", "mean", "right", "items"]
    return caption, titles, lines, reliability(confidence, correct, share, words)


def _right(known: Known) -> NDArray[np.float64]:
    """[G] whether the likeliest class is right; classes that are tied share the item."""
    best = known.soft >= known.soft.max(1, keepdims=True) - 1e-6
    return np.asarray(best[np.arange(len(known.labels)), known.labels] / best.sum(1))
