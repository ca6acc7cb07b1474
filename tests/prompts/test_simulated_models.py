"""Prompts and a label model, end to end over HTTP, beside the best single prompt. Answers are SIMULATED BY RULES.

After "Language Models in the Loop" (Smith et al. 2022, arXiv:2205.02318). The rules stand in for a language model: what
is tested is the way from prompts to labels, and nothing is said about the accuracy of any model.
"""

import gzip
import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from weaklabel import LabelModel
from weaklabel.prompts import PromptEngine, run

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"
N_ITEMS = 600


@pytest.fixture(scope="module")
def rules() -> Any:
    spec = importlib.util.spec_from_file_location("prompt_rules", ROOT / "benchmarks" / "prompt_rules.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def f1(labels: Any, gold: Any) -> float:
    hits = int(((labels == 1) & (gold == 1)).sum())
    return 2 * hits / int((labels == 1).sum() + (gold == 1).sum())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["youtube", "sms"])
def test_prompts_with_a_label_model_beat_the_best_of_them(
    endpoint: Any, make_engine: Callable[..., PromptEngine], rules: Any, name: str
) -> None:
    text, votes_file = DATA / "text" / f"{name}.text.jsonl.gz", DATA / "weak" / f"{name}.npz"
    if not text.exists():
        pytest.skip(f"needs {text}")
    texts = [json.loads(line) for line in gzip.decompress(text.read_bytes()).decode().splitlines()][:N_ITEMS]
    with np.load(votes_file) as archive:
        gold = archive["gold"].astype(int)[:N_ITEMS]

    def reply(request: Any) -> Any:
        return endpoint.completion(json.dumps({"answer": rules.simulated_answer(request.body["model"], request.text)}))

    endpoint.reply = reply
    done = run(rules.prompts(name), texts, make_engine(), progress=False)
    assert len(endpoint.chats) <= N_ITEMS * len(done.summary)
    columns = done.votes.to_dense()
    larger = np.bincount(gold).argmax()
    single = [f1(np.where(columns[:, p] < 0, larger, columns[:, p]), gold) for p in range(columns.shape[1])]
    labels = LabelModel(2).fit(done.votes).predict(done.votes)
    assert f1(np.where(labels < 0, larger, labels), gold) > max(single) + 0.01
