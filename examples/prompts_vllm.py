#!/usr/bin/env python
"""Soft votes from the log-probabilities of a model served by vLLM, calibrated, within a budget of tokens.

    pip install vllm
    vllm serve Qwen/Qwen2.5-7B-Instruct --port 8000
    .venv/bin/python examples/prompts_vllm.py

A vote is then the probability that the model gives each answer, divided by what it gives the same question about
"N/A", "[MASK]" and nothing (contextual calibration, arXiv:2102.09690). The budget stops the run hard: comments that it
does not reach are missing, which is not the same as an abstain; run it again to go on.
"""

from __future__ import annotations

import argparse

from weaklabel.prompts import Budget, Endpoint, PromptEngine, PromptFunction, plan, run

HAM, SPAM = 0, 1
COMMENTS = [
    {"video": "Gangnam Style", "text": "Check out my channel and subscribe!!!"},
    {"video": "Gangnam Style", "text": "2 billion views, wow"},
    {"video": "Roar", "text": "This song never gets old, I love it"},
    {"video": "Roar", "text": "free iphones at http://get-it-now.example"},
]


def main(url: str, model: str) -> None:
    """Plan, run, and show the soft votes."""
    spam = PromptFunction(
        name="is_spam",
        model=model,
        template="Is this comment under the video {video} spam?\n\n{text}",
        answers={"yes": SPAM, "no": HAM},
        votes="logprobs",
        calibrate=True,
        max_tokens=20,
    )
    engine = PromptEngine(Endpoint(base_url=url, concurrency=64), budget=Budget(tokens=100_000))
    print(plan([spam], COMMENTS, engine))
    done = run([spam], COMMENTS, engine)
    print(done)
    for at, comment in enumerate(COMMENTS):
        vote = "missing" if done.missing[at, 0] else done.votes.vote_at(at, 0)
        print(f"{vote}  {comment['text']}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://localhost:8000/v1")
    parser.add_argument("--model", default="Qwen/Qwen2.5-7B-Instruct")
    arguments = parser.parse_args()
    main(arguments.url, arguments.model)
