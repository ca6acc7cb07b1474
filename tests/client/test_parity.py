import inspect
from typing import Any

import pytest

import weaklabel_client
import weaklabel_client.aio

DUNDER = {"__enter__": "__aenter__", "__exit__": "__aexit__"}


def _public(kind: type) -> dict[str, Any]:
    return {name: member for name, member in inspect.getmembers(kind) if not name.startswith("_")}


@pytest.mark.parametrize(
    ("waiting", "asynchronous"),
    [
        (weaklabel_client.Client, weaklabel_client.aio.Client),
        (weaklabel_client.FitOperation, weaklabel_client.aio.FitOperation),
        (weaklabel_client.PromptOperation, weaklabel_client.aio.PromptOperation),
        (weaklabel_client.Prompts, weaklabel_client.aio.Prompts),
    ],
)
def test_both_clients_have_the_same_methods_with_the_same_parameters(waiting: type, asynchronous: type) -> None:
    assert _public(waiting).keys() == _public(asynchronous).keys()
    for name, member in _public(waiting).items():
        if not callable(member):
            continue
        counterpart = _public(asynchronous)[name]
        ours, theirs = inspect.signature(member), inspect.signature(counterpart)
        plain = [
            [(parameter.name, parameter.kind, parameter.default) for parameter in signature.parameters.values()]
            for signature in (ours, theirs)
        ]
        assert plain[0] == plain[1], name
        if "Iterator" in str(ours.return_annotation):
            assert "AsyncIterator" in str(theirs.return_annotation), name
        else:
            assert inspect.iscoroutinefunction(counterpart), name
            assert str(ours.return_annotation) == str(theirs.return_annotation).replace("._aio.", "._sync."), name
        assert member.__doc__, name
        assert counterpart.__doc__, name
    assert inspect.signature(waiting).parameters.keys() == inspect.signature(asynchronous).parameters.keys()


def test_both_are_context_managers() -> None:
    for name, counterpart in DUNDER.items():
        assert hasattr(weaklabel_client.Client, name)
        assert hasattr(weaklabel_client.aio.Client, counterpart)


def test_the_public_names_are_sorted_and_there() -> None:
    names = weaklabel_client.__all__
    assert names == sorted(names)
    assert all(hasattr(weaklabel_client, name) for name in names)
