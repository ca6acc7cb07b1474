"""Choices that users make by a word."""

from typing import Literal

from weaklabel_protocol.v1 import labels_pb2

TieBreakPolicy = Literal["abstain", "random", "true-random"]
"""What the label is where classes are tied: -1, one of them (the same at each call), or one of them by a new draw."""
Unseen = Literal["error", "ignore", "average"]
"""What is done with votes of sources that the model does not know: refused, left out, those of an average source."""

_POLICIES: dict[str, labels_pb2.TieBreakPolicy] = {
    "abstain": labels_pb2.TIE_BREAK_POLICY_UNSPECIFIED,
    "random": labels_pb2.TIE_BREAK_POLICY_RANDOM,
    "true-random": labels_pb2.TIE_BREAK_POLICY_TRUE_RANDOM,
}
_UNSEEN: dict[str, labels_pb2.UnseenSources] = {
    "error": labels_pb2.UNSEEN_SOURCES_UNSPECIFIED,
    "ignore": labels_pb2.UNSEEN_SOURCES_IGNORE,
    "average": labels_pb2.UNSEEN_SOURCES_AVERAGE,
}


def tie_break_policy_number(policy: str) -> labels_pb2.TieBreakPolicy:
    """The number of a policy in the contract.

    Raises:
        ValueError: There is no such policy.
    """
    if policy not in _POLICIES:
        raise ValueError(f"tie_break_policy: one of {', '.join(_POLICIES)} is expected, got {policy!r}")
    return _POLICIES[policy]


def unseen_number(unseen: str) -> labels_pb2.UnseenSources:
    """The number of what is done with unseen sources in the contract.

    Raises:
        ValueError: There is no such choice.
    """
    if unseen not in _UNSEEN:
        raise ValueError(f"unseen: one of {', '.join(_UNSEEN)} is expected, got {unseen!r}")
    return _UNSEEN[unseen]
