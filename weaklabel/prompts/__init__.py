"""Prompts of language models that vote, find spans or judge: declared as data, planned, cached, within a budget."""

from weaklabel.prompts.active_learning import Ask, StopRule, next_to_ask
from weaklabel.prompts.budget import Budget
from weaklabel.prompts.cache import ResponseCache
from weaklabel.prompts.declaration.judge_prompt import JudgePrompt
from weaklabel.prompts.declaration.prompt_function import PromptFunction
from weaklabel.prompts.declaration.shown import Example, Shortlist
from weaklabel.prompts.declaration.span_prompt import SpanExample, SpanPrompt
from weaklabel.prompts.engine import PromptEngine
from weaklabel.prompts.http.endpoint import Endpoint, EndpointError
from weaklabel.prompts.plan import Plan, PromptPlan, plan
from weaklabel.prompts.pricing import Price, PriceTable
from weaklabel.prompts.replies import PromptReply
from weaklabel.prompts.requests.examples import with_examples
from weaklabel.prompts.requests.shortlist import nearest_answers
from weaklabel.prompts.responses.parser import LeftOut
from weaklabel.prompts.results import JudgeRun, PromptRun, SpanRun, Spent
from weaklabel.prompts.run import run, run_async, run_batch
from weaklabel.prompts.runner.outcome import StoppedEarlyWarning
from weaklabel.prompts.runner.progress import PromptProgress
from weaklabel.prompts.runner.summary import PromptSummary, SpanSummary

__all__ = [
    "Ask",
    "Budget",
    "Endpoint",
    "EndpointError",
    "Example",
    "JudgePrompt",
    "JudgeRun",
    "LeftOut",
    "Plan",
    "Price",
    "PriceTable",
    "PromptEngine",
    "PromptFunction",
    "PromptPlan",
    "PromptProgress",
    "PromptReply",
    "PromptRun",
    "PromptSummary",
    "ResponseCache",
    "Shortlist",
    "SpanExample",
    "SpanPrompt",
    "SpanRun",
    "SpanSummary",
    "Spent",
    "StopRule",
    "StoppedEarlyWarning",
    "nearest_answers",
    "next_to_ask",
    "plan",
    "run",
    "run_async",
    "run_batch",
    "with_examples",
]
