"""Prompts of language models as labeling functions: declared as data, planned, cached, within a budget."""

from weaklabel.prompts.asking import PromptProgress
from weaklabel.prompts.cache import ResponseCache
from weaklabel.prompts.endpoint import Endpoint, EndpointError
from weaklabel.prompts.engine import PromptEngine
from weaklabel.prompts.ledger import Budget
from weaklabel.prompts.outcome import StoppedEarlyWarning
from weaklabel.prompts.plan import Plan, PromptPlan, plan
from weaklabel.prompts.pricing import Price, PriceTable
from weaklabel.prompts.report import PromptSummary
from weaklabel.prompts.run import PromptRun, Spent, run, run_batch
from weaklabel.prompts.shortlist import nearest_answers, with_examples
from weaklabel.prompts.spec import Example, PromptFunction, Shortlist
from weaklabel.prompts.spend import Ask, StopRule, next_to_ask

__all__ = [
    "Ask",
    "Budget",
    "Endpoint",
    "EndpointError",
    "Example",
    "Plan",
    "Price",
    "PriceTable",
    "PromptEngine",
    "PromptFunction",
    "PromptPlan",
    "PromptProgress",
    "PromptRun",
    "PromptSummary",
    "ResponseCache",
    "Shortlist",
    "Spent",
    "StopRule",
    "StoppedEarlyWarning",
    "nearest_answers",
    "next_to_ask",
    "plan",
    "run",
    "run_batch",
    "with_examples",
]
