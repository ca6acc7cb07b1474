#!/usr/bin/env python
"""Prompts: what a run costs beside the endpoint's own time, and prompts with a label model beside the best of them.

    .venv/bin/python benchmarks/prompts.py speed
    .venv/bin/python benchmarks/prompts.py quality /path/to/data

speed      2,000 prompts to an endpoint in another process that answers after 200 ms, 64 in flight: time beside the
           ideal 2000 / 64 x 0.2 s, and CPU time of this process. Then the same out of the cache, in items a second.
           Beside the openai package alone, one client without retries, limits or a cache: on a busy machine all
           three suffer.
quality    data/text/{youtube,sms}.text.jsonl.gz with data/weak/*.npz for the gold. THE ANSWERS ARE SIMULATED BY RULES
           (prompt_rules.py): the figures say nothing about any model. Each prompt alone, where it abstains the larger
           class, beside majority vote and the label model over all of them.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import openai
from numpy.typing import NDArray
from openai.types.chat import ChatCompletionUserMessageParam

sys.path.insert(0, str(Path(__file__).parent))
import prompt_rules

from weaklabel.prompts import Endpoint, PromptEngine, PromptFunction, run

CALLS, IN_FLIGHT, LATENCY = 2000, 64, 0.2


@contextmanager
def endpoint(latency: float) -> Iterator[str]:
    """The URL of an endpoint in a process of its own."""
    script = Path(__file__).with_name("prompt_endpoint.py")
    command = [sys.executable, str(script), "--latency", str(latency)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}/v1"
        finally:
            process.terminate()


def speed() -> None:
    """Print time and CPU of a run, and the rate of the same run out of the cache."""
    prompt = PromptFunction(
        name="speed", model="speed", template="Is it spam?\n\n{text}", answers={"yes": 1, "no": 0, "unsure": -1}
    )
    items = [{"text": f"comment {i}: " + "some words " * 20} for i in range(CALLS)]
    ideal = CALLS / IN_FLIGHT * LATENCY
    with tempfile.TemporaryDirectory() as folder, endpoint(LATENCY) as url:
        engine = PromptEngine(Endpoint(base_url=url, concurrency=IN_FLIGHT), cache=Path(folder) / "warm-up.sqlite")
        run([prompt], items[:IN_FLIGHT], engine, progress=False)  # imports, certificates
        engine = PromptEngine(Endpoint(base_url=url, concurrency=IN_FLIGHT), cache=Path(folder) / "cache.sqlite")
        started, cpu = time.perf_counter(), time.process_time()
        asyncio.run(ask_plainly(url, [item["text"] for item in items]))
        took, cpu = time.perf_counter() - started, time.process_time() - cpu
        print(
            f"openai    {CALLS:5} calls alone         {took:6.2f} s  CPU {cpu:5.2f} s  {took / ideal:.3f} x the ideal"
        )
        for what in ("endpoint", "cache"):
            started, cpu = time.perf_counter(), time.process_time()
            done = run([prompt], items, engine, progress=False)
            took, cpu = time.perf_counter() - started, time.process_time() - cpu
            assert done.votes.n_votes == CALLS
            calls = f"{done.spent.calls:5} calls {done.spent.cached:5} cached"
            rate = f"{took:6.2f} s  {CALLS / took:8,.0f} items/s  CPU {cpu:5.2f} s ({cpu / took:.0%} of a core)"
            beside = f"  {took / ideal:.3f} x the ideal {ideal:.2f} s" if what == "endpoint" else ""
            print(f"{what:9} {calls}  {rate}{beside}")
    print(f"load average when done: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


async def ask_plainly(url: str, texts: list[str]) -> None:
    """The same calls by the openai package alone."""
    texts_left = iter(texts)
    async with openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:

        async def work() -> None:
            for text in texts_left:
                message: ChatCompletionUserMessageParam = {"role": "user", "content": f"Is it spam?\n\n{text}"}
                await client.chat.completions.create(model="speed", messages=[message])

        await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))


def quality(data: Path) -> None:
    """Print accuracy and F1 of spam of each prompt alone, majority vote and the label model."""
    from weaklabel import LabelModel, MajorityVote  # not for speed, which JAX has no part in

    print("ANSWERS SIMULATED BY RULES, not by a model")
    with tempfile.TemporaryDirectory() as folder, endpoint(0.0) as url:
        engine = PromptEngine(Endpoint(base_url=url), cache=Path(folder) / "cache.sqlite")
        for name in prompt_rules.RULES:
            lines = gzip.decompress((data / "text" / f"{name}.text.jsonl.gz").read_bytes()).decode().splitlines()
            with np.load(data / "weak" / f"{name}.npz") as archive:
                gold = archive["gold"].astype(int)
            votes = run(prompt_rules.prompts(name), [json.loads(line) for line in lines], engine, progress=False).votes
            columns = votes.to_dense()
            predictions = {source: columns[:, at] for at, source in enumerate(votes.source_names)}
            predictions["= majority vote"] = MajorityVote(2).fit(votes).predict(votes)
            predictions["= label model"] = LabelModel(2).fit(votes).predict(votes)
            print(f"\n{name}: {votes}")
            for source, labels in predictions.items():
                accuracy, f1 = scores(labels, gold)
                print(f"  {source:20} accuracy {accuracy:.3f}  F1 of spam {f1:.3f}")


def scores(labels: NDArray[np.integer], gold: NDArray[np.integer]) -> tuple[float, float]:
    """Accuracy and F1 of class 1 on items with gold; an item without a prediction counts as the larger class."""
    known = gold >= 0
    gold = gold[known]
    labels = np.where(labels < 0, np.bincount(gold).argmax(), labels)[known]
    hits = int(((labels == 1) & (gold == 1)).sum())
    return float((labels == gold).mean()), 2 * hits / max(int((labels == 1).sum() + (gold == 1).sum()), 1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["speed", "quality"])
    parser.add_argument("data", type=Path, nargs="?", help="the folder with text/ and weak/, for quality")
    arguments = parser.parse_args()
    if arguments.what == "speed":
        speed()
    elif arguments.data is None:
        parser.error("say where the data is")
    else:
        quality(arguments.data)
