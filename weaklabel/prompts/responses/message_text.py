"""The text of a reply, out of the shapes that servers give it: a text, parts, reasoning in a field or in tags."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

_INVISIBLE = "\ufeff\u200b\u2060"  # byte-order mark, zero-width space, word joiner
_TAG = r"(?:think|thinking|thought|reasoning|reflection)"
_REASONING_ENDS = re.compile(rf"</{_TAG}>|\[/THINK\]|<\|channel\|>final<\|message\|>", re.IGNORECASE)
_REASONING_STARTS = re.compile(rf"\s*(?:<{_TAG}>|\[THINK\]|<\|channel\|>analysis)", re.IGNORECASE)
_END_OF_TURN = re.compile(r"(?:\s*(?:<\|[^<>|]{1,40}\|>|</s>|<end_of_turn>))+\s*$")
_REASONING_FIELDS = ("reasoning_content", "reasoning")


class MessageText(NamedTuple):
    """What a message says.

    Attributes:
        text: the reply, without reasoning.
        reasoning: that before the reply, or in a field of its own.
        refusal: why the model declines, or empty.
        apart: whether the reasoning is in a field of its own.
        ended: False where the reply breaks off inside of its reasoning.
    """

    text: str
    reasoning: str = ""
    refusal: str = ""
    apart: bool = False
    ended: bool = True


def message_text(message: Mapping[str, Any]) -> MessageText:
    """The text of a message of a chat completion."""
    text, refusal = _content(message.get("content"))
    reasoning = next((one for name in _REASONING_FIELDS if isinstance(one := message.get(name), str)), "")
    text = _END_OF_TURN.sub("", text).strip(_INVISIBLE + " \t\r\n")
    ends = list(_REASONING_ENDS.finditer(text))
    if ends:  # servers that put the opening tag into the prompt return the closing one alone
        reasoning = _REASONING_STARTS.sub("", text[: ends[-1].start()], count=1).strip()
        text = text[ends[-1].end() :].strip(_INVISIBLE + " \t\r\n")
    elif _REASONING_STARTS.match(text):
        return MessageText(text="", reasoning=text, ended=False)
    refusal = str(message.get("refusal") or refusal)
    return MessageText(text=text, reasoning=reasoning, refusal=refusal, apart=not ends)


def _content(content: Any) -> tuple[str, str]:
    """Text and refusal of a content: a text, its parts, or an object that the server has read already."""
    if isinstance(content, str):
        return content, ""
    if isinstance(content, Mapping):
        return json.dumps(content, ensure_ascii=False), ""
    texts, refusals = [], []
    for part in content if isinstance(content, list) else ():
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, Mapping) and part.get("type") in ("text", "output_text", None):
            texts.append(str(part.get("text") or ""))
        elif isinstance(part, Mapping) and part.get("type") == "refusal":
            refusals.append(str(part.get("refusal") or "declined"))
    return "".join(texts), "".join(refusals)
