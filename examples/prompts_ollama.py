#!/usr/bin/env python
"""Two prompts and a rule on a model that runs on this machine, by Ollama; no key, no bill.

    ollama serve &                    # unless it runs already
    ollama pull llama3.2:3b
    .venv/bin/python examples/prompts_ollama.py

Run it again: everything comes out of the cache, and nothing is asked. Change what an answer stands for, in `answers`:
the responses are read again, and still nothing is asked.
"""

from __future__ import annotations

import argparse

from weaklabel import ABSTAIN, LabelModel, labeling_function
from weaklabel.prompts import Endpoint, PromptEngine, PromptFunction, plan, run

HAM, SPAM = 0, 1
COMMENTS = [
    {"text": "Check out my channel and subscribe!!!"},
    {"text": "This song never gets old, I love it"},
    {"text": "free iphones at http://get-it-now.example"},
    {"text": "The drums at 2:13 are amazing"},
    {"text": "please like my page, I will like yours back"},
    {"text": "who else is here after the concert?"},
]


@labeling_function
def contains_link(x: dict[str, str]) -> int:
    """A link is spam."""
    return SPAM if "http" in x["text"] else ABSTAIN


def main(url: str, model: str) -> None:
    """Plan, run, and fit a label model on the votes."""
    prompts = [
        PromptFunction(
            name="asks_for_action",
            model=model,
            template="Does this comment ask the reader to click, buy or subscribe?\n\n{text}",
            answers={"yes": SPAM, "no": ABSTAIN, "unsure": ABSTAIN},
            max_tokens=30,
        ),
        PromptFunction(
            name="about_the_music",
            model=model,
            template="Is this comment about the music or the video it stands under?\n\n{text}",
            answers={"yes": HAM, "no": ABSTAIN, "unsure": ABSTAIN},
            max_tokens=30,
        ),
    ]
    # Ollama knows the limit of a reply as max_tokens, and works on a few calls at a time.
    engine = PromptEngine(Endpoint(base_url=url, max_tokens_field="max_tokens", concurrency=4, timeout=120))
    print(plan(prompts, COMMENTS, engine))
    done = run([contains_link, *prompts], COMMENTS, engine, n_classes=2)
    print(done)
    labels = LabelModel(classes=["ham", "spam"]).fit(done.votes).predict_proba(done.votes)
    for comment, probabilities in zip(COMMENTS, labels, strict=True):
        print(f"{probabilities[SPAM]:.2f}  {comment['text']}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://localhost:11434/v1")
    parser.add_argument("--model", default="llama3.2:3b")
    arguments = parser.parse_args()
    main(arguments.url, arguments.model)
