"""Prompts whose answers are SIMULATED BY RULES: regular expressions that stand in for a language model.

They show that the machinery works end to end. They say nothing about the accuracy of any model. Each rule answers "yes"
(spam), "no" (not spam) or "unsure". One answer in ten is turned into "unsure", one in twenty into the opposite: at
random, but the same at every call.
"""

from __future__ import annotations

import hashlib
import re

from weaklabel.prompts import PromptFunction

UNSURE, WRONG = 0.10, 0.05

# By data set and prompt: the question, what a "yes" looks like, and what a "no" does ("" for everything else).
RULES: dict[str, dict[str, tuple[str, str, str]]] = {
    "youtube": {
        "asks_for_action": (
            "Does the comment ask the reader to do something?",
            r"subscri|check (it |this |me |us |out)|click|visit|follow|vote|go to|share this|add me",
            r"love|best|lol|haha|song|views",
        ),
        "advertises": (
            "Does the comment advertise?",
            r"https?:|www\.|\.com|my (channel|video|song|page|music|new|first|cover)|our (channel|video)",
            r"^.{0,45}$",
        ),
        "about_the_author": (
            "Is the comment about its author's own pages rather than about the video?",
            r"my |channel|website|facebook|page",
            r"song|music|voice|beat|lyrics|danc|katy|perry|eminem|shakira|psy|rihanna|billion|views|video is|she|her",
        ),
        "begs": (
            "Does the comment beg?",
            r"please|pls|plz|help|hey guys|hello|guys|support|check",
            r"love|amazing|awesome|beautiful|best|omg|<3|cool|great|lol|haha|\?",
        ),
        "not_a_fan": (
            "Is the comment by somebody who does not care about the video?",
            r"my |our |guys|check|please|plz|help",
            r"this song|i love|the best|love this|views|still|listening|years|like if|thumbs",
        ),
        "zero_shot": ("Is the comment spam?", r"subscri|check|my channel|https?:|www\.|\.com|visit", r""),
    },
    "sms": {
        "asks_for_action": (
            "Does the message ask to call, reply or click?",
            r"call (now|\d|free|the)|txt|text \w+ to|reply (to|with|yes|stop)|claim|click|visit|send \w+ to|\bstop\b",
            r"\?|home|later|going|tomorrow|tonight|sleep|sorry",
        ),
        "offers": (
            "Does the message offer something?",
            r"free|win|won|prize|award|guarante|offer|bonus|discount|entitled|selected|winner",
            r"\b(i|im|i'm|me|we)\b",
        ),
        "costs_money": (
            "Does the message speak of what something costs?",
            r"£|\$|cash|\d+p\b|per min|pounds|cost|credit|price",
            r"love|miss|lol|haha|:\)|da\b|dear|babe",
        ),
        "to_many": (
            "Was the message sent to many people?",
            r"urgent|customer|account|service|mobile|nokia|ringtone|tone|camera|contract|dating|sms|msg|box",
            r"\b(u|ur|ok|lor|k|yeah|hey|hi|ya|wat|dun)\b",
        ),
        "links": (
            "Does the message link to a page?",
            r"www\.|http|\.com|\.co\.uk",
            r"how are|what are|where are|did you|do you|are you|i'll|i am|i have|we ",
        ),
        "rewards": (
            "Does the message promise a reward?",
            r"prize|award|winner|won |claim|free entry|voucher|reward|gift|guaranteed",
            r"\b(i|im|i'm|me|my|he|she|him|her)\b",
        ),
        "zero_shot": ("Is the message spam?", r"free|claim|prize|won|cash|txt|urgent|mobile|www|£", r""),
    },
}


def prompts(data: str) -> list[PromptFunction]:
    """The prompts of a data set; the model's name says which rule answers."""
    return [
        PromptFunction(
            name=name,
            model=f"{data}/{name}",
            template=f"{question}\n\n{{text}}",
            answers={"yes": 1, "no": 0, "unsure": -1},
            family="rules",
        )
        for name, (question, _, _) in RULES[data].items()
    ]


def simulated_answer(model: str, message: str) -> str:
    """What the rule called `model` answers to the message that a prompt makes of an item."""
    data, name = model.split("/")
    _, yes, no = RULES[data][name]
    match = re.search(r"<(data-[0-9a-f]{8})>(.*)</\1>", message, re.DOTALL)
    text = (match[2] if match else message).replace("\u200b", "")
    chance = int.from_bytes(hashlib.sha256((name + text).encode()).digest()[:4], "big") / 2**32
    if re.search(yes, text, re.IGNORECASE):
        answer = "yes"
    else:
        answer = "no" if re.search(no, text, re.IGNORECASE | re.DOTALL) else "unsure"
    if chance < WRONG:
        return {"yes": "no", "no": "yes", "unsure": "unsure"}[answer]
    return "unsure" if chance < WRONG + UNSURE else answer
