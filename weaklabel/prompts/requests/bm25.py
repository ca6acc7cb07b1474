"""BM25: ranks short texts by their similarity to another (Robertson and Zaragoza 2009, doi:10.1561/1500000019)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_WORD = re.compile(r"\w+")
_K1, _B = 1.2, 0.75  # of the book: saturation of repeated words, and weight of the length


class BM25:
    """An index of L texts."""

    def __init__(self, texts: Sequence[str]) -> None:
        counts = [Counter(words(text)) for text in texts]
        lengths = np.array([count.total() for count in counts], float)
        norm = _K1 * (1 - _B + _B * lengths / max(lengths.mean(), 1.0)) if texts else lengths
        places: dict[str, list[int]] = {}
        for position, count in enumerate(counts):
            for word in count:
                places.setdefault(word, []).append(position)
        self._n = len(texts)
        self._weights: dict[str, tuple[NDArray[np.intp], NDArray[np.float64]]] = {}
        for word, positions in places.items():
            at = np.array(positions)
            often = np.array([counts[one][word] for one in positions], float)
            rare = np.log1p((self._n - len(positions) + 0.5) / (len(positions) + 0.5))
            self._weights[word] = at, rare * often * (_K1 + 1) / (often + norm[at])

    def scores(self, query: str) -> NDArray[np.float64]:
        """[L] similarity of each text to the query; 0 where they share no word."""
        total = np.zeros(self._n)
        for word in words(query):
            if word in self._weights:
                at, weight = self._weights[word]
                total[at] += weight
        return total

    def nearest(self, query: str, n: int) -> list[int]:
        """Positions of the n most similar texts, best first; ties in the order of the texts."""
        return [int(at) for at in np.argsort(-self.scores(query), kind="stable")[:n]]


def words(text: str) -> list[str]:
    """The words of a text, in lower case."""
    return _WORD.findall(text.lower())
