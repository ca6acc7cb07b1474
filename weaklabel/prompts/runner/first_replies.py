"""Whether the first replies to a prompt all fail alike: a run then stops before the others are paid."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from weaklabel.prompts.http.endpoint import EndpointError


class FirstReplies:
    """The first replies to each prompt of a run, those of the cache included.

    Until one of them is an answer no more calls are sent than there may be failures.

    Args:
        names: of the P prompts.
        most: this many failures alike with no answer among them end the run; None to go on whatever fails.
    """

    def __init__(self, names: Sequence[str], most: int | None) -> None:
        self._most = most
        self._trials = [_Trial(name) for name in names]

    def note(self, prompt: int, error: str | None) -> None:
        """Note what a call came to: an answer, or an error."""
        trial = self._trials[prompt]
        if self._most is None or error is None:
            trial.pass_on()
        elif not trial.passed:
            trial.errors.append(error)
            if len(trial.errors) >= self._most:
                alike = len({one.partition(":")[0] for one in trial.errors}) == 1  # what follows is of the item
                trial.failed = alike
                trial.pass_on()

    def pass_on(self, prompt: int) -> None:
        """Note that a call came to nothing that counts."""
        self._trials[prompt].pass_on()

    async def admit(self, prompt: int) -> None:
        """Returns when a call may be sent.

        Raises:
            EndpointError: as of `check`.
        """
        trial = self._trials[prompt]
        trial.sent += 1
        if self._most is not None and not trial.passed and trial.sent > self._most:
            await trial.event.wait()
        self.check(prompt)

    def check(self, prompt: int) -> None:
        """Ends the run where the first replies to a prompt fail alike.

        Raises:
            EndpointError: says how to go on.
        """
        trial = self._trials[prompt]
        if trial.failed:
            raise EndpointError(
                f"prompt {trial.name!r}: the first {len(trial.errors)} replies fail alike; the last: "
                f"{trial.errors[-1]}. Nothing more was sent. Change the prompt, or say how its replies are read by "
                "parse=; PromptEngine(give_up_after=None) goes on all the same"
            )


class _Trial:
    """The first replies to one prompt."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.errors: list[str] = []
        self.sent = 0
        self.passed = self.failed = False
        self.event = asyncio.Event()

    def pass_on(self) -> None:
        self.passed = True
        self.event.set()
