#!/usr/bin/env python
"""Scripts in the style of Snorkel, crowd-kit and cleanlab, run with the real package and with weaklabel.adapters.

    .venv/bin/python benchmarks/adapters.py folder --peers-python peers/bin/python

Each script is one text, in which only the imports differ, run twice in a process of its own: the first run compiles,
the second is the time of those that follow. The folder holds text/youtube.text.jsonl.gz and weak/youtube.npz
(comments, with `gold` and `split`), and crowd/NAME.npz (`item`, `worker`, `label`, `n_classes`, `gold`, or `votes`);
without it the scripts run on simulated data. For cleanlab annotators of the digits of scikit-learn are
simulated, the classifier is a logistic regression by cross-validation on their majority.

shapes   "same" where every result has the same type, shape, columns and index names with both imports
score    accuracy of hard labels (ties at random in Snorkel's script) and negative log-likelihood of the probabilities,
         clipped at 1e-6, over the items with gold: the test items of youtube, else all
seconds  of the script: first run / second run, without imports and without programs that were compiled before
MB       peak memory of the process, imports included
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

IMPORTS = {
    "snorkel": (
        """
from snorkel.labeling import LabelingFunction, LFAnalysis, PandasLFApplier
from snorkel.labeling import filter_unlabeled_dataframe, labeling_function
from snorkel.labeling.model import LabelModel, MajorityLabelVoter
from snorkel.utils import probs_to_preds
""",
        """
from weaklabel.adapters.snorkel import LabelingFunction, LFAnalysis, PandasLFApplier, filter_unlabeled_dataframe
from weaklabel.adapters.snorkel import LabelModel, MajorityLabelVoter, labeling_function, probs_to_preds
""",
    ),
    "crowdkit": (
        "from crowdkit.aggregation import DawidSkene, MajorityVote, OneCoinDawidSkene",
        "from weaklabel.adapters.crowdkit import DawidSkene, MajorityVote, OneCoinDawidSkene",
    ),
    "cleanlab": (
        "from cleanlab.multiannotator import get_label_quality_multiannotator, get_majority_vote_label",
        "from weaklabel.adapters.cleanlab import get_label_quality_multiannotator, get_majority_vote_label",
    ),
}
COLD = {"TQDM_DISABLE": "1", "WEAKLABEL_COMPILE_CACHE": "off"}
"""The first run compiles all that it needs."""
SCRIPTS = {
    "snorkel": """
ABSTAIN, HAM, SPAM = -1, 0, 1


def keyword_lookup(x, keywords, label):
    return label if any(word in x.text.lower() for word in keywords) else ABSTAIN


def make_keyword_lf(keywords, label=SPAM):
    return LabelingFunction(name=f"keyword_{keywords[0]}", f=keyword_lookup,
                            resources=dict(keywords=keywords, label=label))


@labeling_function()
def short_comment(x):
    return HAM if len(x.text.split()) < 5 else ABSTAIN


@labeling_function()
def check_out(x):
    return SPAM if re.search(r"check.*out", x.text, flags=re.I) else ABSTAIN


lfs = [make_keyword_lf(["my"]), make_keyword_lf(["subscribe"]), make_keyword_lf(["http"]),
       make_keyword_lf(["please", "plz"]), make_keyword_lf(["song"], HAM), make_keyword_lf(["love", "best"], HAM),
       short_comment, check_out]
applier = PandasLFApplier(lfs=lfs)
L_train = applier.apply(df=df_train, progress_bar=False)
L_test = applier.apply(df=df_test, progress_bar=False)
summary = LFAnalysis(L=L_train, lfs=lfs).lf_summary()
majority_acc = MajorityLabelVoter().score(L=L_test, Y=Y_test, tie_break_policy="random")["accuracy"]
label_model = LabelModel(cardinality=2, verbose=False)
label_model.fit(L_train=L_train, n_epochs=500, log_freq=100, seed=123, progress_bar=False)
accuracy = label_model.score(L=L_test, Y=Y_test, tie_break_policy="random")["accuracy"]
probabilities = label_model.predict_proba(L=L_test)
filtered, probs_filtered = filter_unlabeled_dataframe(X=df_train, y=label_model.predict_proba(L=L_train), L=L_train)
preds_filtered = probs_to_preds(probs=probs_filtered)
weights = label_model.get_weights()
results = dict(L_train=L_train, summary=summary, probabilities=probabilities, filtered=filtered,
               preds_filtered=preds_filtered, weights=weights)
scores = {"majority vote": (majority_acc, None), "LabelModel": (accuracy, nll(probabilities, Y_test))}
""",
    "crowdkit": """
results, scores = {}, {}
for aggregator in (MajorityVote(), DawidSkene(n_iter=100), OneCoinDawidSkene(n_iter=100)):
    name = type(aggregator).__name__
    labels = aggregator.fit_predict(df)
    results |= {f"{name}.{one}": getattr(aggregator, one, None)
                for one in ("labels_", "probas_", "priors_", "errors_") if getattr(aggregator, one, None) is not None}
    known = gold.index.intersection(labels.index)
    p = aggregator.probas_.reindex(columns=range(n_classes), fill_value=0.0).loc[known]
    scores[name] = ((labels.loc[known] == gold.loc[known]).mean(), nll(p.to_numpy(), gold.loc[known].to_numpy()))
""",
    "cleanlab": """
majority = get_majority_vote_label(df, verbose=False)
results = get_label_quality_multiannotator(df, pred_probs, verbose=False)
quality = results["label_quality"]
right = quality["consensus_label"].to_numpy() == gold
p = quality["consensus_quality_score"].to_numpy()
scores = {"majority vote": ((majority == gold).mean(), None),
          "consensus": (right.mean(), nll(np.stack([1 - p, p], 1), right.astype(int)))}
""",
}


def nll(p: Any, gold: Any) -> float:
    """Negative log-likelihood of the true classes."""
    import numpy as np

    return float(-np.log(np.clip(p[np.arange(len(gold)), gold], 1e-6, 1)).mean())


def shape_of(value: Any) -> str:
    """Type, shape, columns and index names of a result."""
    columns = sorted(map(str, value.columns)) if hasattr(value, "columns") else ""
    index = list(map(str, value.index.names)) if hasattr(value, "index") else ""
    return f"{type(value).__name__} {list(value.shape)} {columns} {index}"


def work(script: str, theirs: bool, data: str) -> dict[str, Any]:
    """Runs a script twice, in this process."""
    warnings.simplefilter("ignore")
    import re

    import numpy as np
    import pandas as pd

    archive = dict(np.load(data, allow_pickle=False))
    names: dict[str, Any] = {"np": np, "pd": pd, "re": re, "nll": nll}
    if script == "snorkel":
        test = archive["split"] == 2
        frame = pd.DataFrame({"text": archive["text"].astype(object)})
        names |= {"df_train": frame[~test], "df_test": frame[test], "Y_test": archive["gold"][test].astype(int)}
    elif script == "crowdkit":
        columns = {one: archive[one].astype(np.int64) for one in ("item", "worker", "label")}
        frame = pd.DataFrame(columns).drop_duplicates(["item", "worker"], keep="last").reset_index(drop=True)
        gold = pd.Series(archive["gold"].astype(np.int64))
        names |= {"df": frame.rename(columns={"item": "task"}), "gold": gold[gold >= 0]}
        names["n_classes"] = int(archive["n_classes"])
    else:
        votes = archive["votes"].astype(float)
        names |= {"df": pd.DataFrame(np.where(votes < 0, np.nan, votes)), "gold": archive["gold"].astype(int)}
        names["pred_probs"] = archive["pred_probs"]
    exec(IMPORTS[script][not theirs], names)
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        exec(SCRIPTS[script], names)
        seconds.append(time.perf_counter() - start)
    return {
        "shapes": {name: shape_of(value) for name, value in names["results"].items()},
        "scores": {name: [one and float(one) for one in both] for name, both in names["scores"].items()},
        "seconds": seconds,
        "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def youtube(folder: Path | None) -> dict[str, Any]:
    """Comments, gold and split."""
    import numpy as np

    if folder is not None and (folder / "text" / "youtube.text.jsonl.gz").exists():
        with gzip.open(folder / "text" / "youtube.text.jsonl.gz", "rt") as lines:
            text = [json.loads(line) for line in lines]
        archive = np.load(folder / "weak" / "youtube.npz")
        return {"text": np.array(text), "gold": archive["gold"], "split": archive["split"]}
    rng = np.random.default_rng(0)
    words = [
        ["check out my channel", "subscribe please", "http://a.b"],
        ["love this song", "best song", "so good today"],
    ]
    gold = rng.integers(0, 2, 2000)
    text = [" ".join(rng.choice(words[1 - k if rng.random() < 0.85 else k], 2)) for k in gold.tolist()]
    return {"text": np.array(text), "gold": gold, "split": np.where(np.arange(2000) < 1600, 0, 2)}


def crowd(folder: Path | None, name: str) -> dict[str, Any]:
    """Triples, gold and number of classes."""
    import numpy as np

    if folder is not None and (folder / "crowd" / f"{name}.npz").exists():
        archive = dict(np.load(folder / "crowd" / f"{name}.npz"))
        if "votes" in archive:
            archive["item"], archive["worker"] = np.nonzero(archive["votes"] >= 0)
            archive["label"] = archive["votes"][archive["item"], archive["worker"]]
        return {one: archive[one] for one in ("item", "worker", "label", "gold", "n_classes")}
    rng = np.random.default_rng(1)
    gold = rng.integers(0, 4, 800)
    item = np.repeat(np.arange(800), 6)
    worker = np.concatenate([rng.choice(60, 6, replace=False) for _ in range(800)])
    right = rng.random(len(item)) < np.linspace(0.3, 0.95, 60)[worker]
    label = np.where(right, gold[item], rng.integers(0, 4, len(item)))
    return {"item": item, "worker": worker, "label": label, "gold": gold, "n_classes": np.array(4)}


def digits() -> dict[str, Any]:
    """Simulated annotators of the digits of scikit-learn, and a classifier by cross-validation on their majority."""
    import numpy as np
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_predict

    X, gold = load_digits(return_X_y=True)
    rng = np.random.default_rng(7)
    n, skill = len(gold), np.linspace(0.4, 0.9, 12)
    labels = np.where(rng.random((n, 12)) < skill, gold[:, None], rng.integers(0, 10, (n, 12)))
    votes = np.where(rng.random((n, 12)) < 0.25, labels, -1)
    silent = (votes < 0).all(1)
    votes[silent, 0] = labels[silent, 0]
    counts = np.stack([(votes == k).sum(1) for k in range(10)], 1) + rng.random((n, 10)) * 0.1
    model = LogisticRegression(max_iter=200)
    p = cross_val_predict(model, X / 16, counts.argmax(1), cv=3, method="predict_proba")
    return {"votes": votes, "gold": gold, "pred_probs": p}


def main() -> None:
    """Runs all scripts, or one of them in this process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?", help="folder with text/, weak/, crowd/")
    parser.add_argument("--peers-python", default=sys.executable, help="where snorkel, crowd-kit and cleanlab are")
    parser.add_argument("--crowd", nargs="+", default=["rte", "dog", "labelme"], help="names of archives in crowd/")
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        script, side, data = given.worker
        print(json.dumps(work(script, side == "theirs", data)))
        return
    import numpy as np

    problems = [("snorkel", "youtube", youtube(given.data))]
    problems += [("crowdkit", name, crowd(given.data, name)) for name in (given.crowd if given.data else ["simulated"])]
    problems.append(("cleanlab", "digits, simulated annotators", digits()))
    for script, name, arrays in problems:
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, "data.npz")  # noqa: PTH118
            np.savez(file, **arrays)
            found = {
                side: run(given.peers_python if side == "theirs" else sys.executable, script, side, file)
                for side in ("theirs", "ours")
            }
        show(script, name, found)


def run(python: str, script: str, side: str, file: str) -> dict[str, Any] | None:
    """What a script gives in a process of its own; None where it fails."""
    command = [python, __file__, "--worker", script, side, file]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | COLD)
    if done.returncode:
        print(f"{script}, {side}: {done.stderr.strip().splitlines()[-1]}")
        return None
    read: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return read


def show(script: str, name: str, found: dict[str, dict[str, Any] | None]) -> None:
    """Prints one table."""
    theirs, ours = found["theirs"], found["ours"]
    print(f"\n{script} on {name}")
    if theirs and ours:
        apart = [one for one, shape in theirs["shapes"].items() if ours["shapes"].get(one) != shape]
        print("  shapes: " + ("same, " + str(len(theirs["shapes"])) + " results" if not apart else "differ"))
        for one in apart:
            print(f"    {one}: {theirs['shapes'][one]}  |  {ours['shapes'].get(one)}")
    print(f"  {'':22}{'score':>8}{'NLL':>8}{'seconds':>16}{'MB':>7}")
    for side, one in found.items():
        for number, (what, (score, loss)) in enumerate(one["scores"].items() if one else ()):
            cost = f"{one['seconds'][0]:.2f} / {one['seconds'][1]:.2f}" if one and not number else ""
            size = f"{one['mb']:.0f}" if one and not number else ""
            shown = "" if loss is None else f"{loss:.3f}"
            print(f"  {side:8}{what:18}{score:>4.3f}{shown:>8}{cost:>16}{size:>7}")


if __name__ == "__main__":
    main()
