"""PyTorch and Trainer on soft labels: losses beside torch's own, and a training that learns."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from weaklabel.adapters.torch import SoftLabelDataset, SoftLabelLoss, soft_cross_entropy, trainer_dataset
from weaklabel.errors import InvalidArgumentError

torch = pytest.importorskip("torch", reason="torch is not installed")
SOFT = np.array([[0.2, 0.8], [1, 0], [0.5, 0.5], [0.4, 0.6]])


def test_the_loss_is_that_of_torch() -> None:
    logits = torch.randn(4, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    labels, weight = torch.from_numpy(SOFT), torch.tensor([1.0, 0.5, 0, 2], dtype=torch.float64)
    theirs = torch.nn.functional.cross_entropy(logits, labels, reduction="none")
    assert soft_cross_entropy(logits, labels).item() == pytest.approx(theirs.mean().item())
    expected = (theirs * weight).sum() / weight.sum()
    assert soft_cross_entropy(logits, labels, weight).item() == pytest.approx(expected.item())
    both = torch.cat([labels, weight[:, None]], 1)
    for outputs in (logits, {"logits": logits}, type("Output", (), {"logits": logits})()):
        assert SoftLabelLoss()(outputs, both).item() == pytest.approx(expected.item())
    assert SoftLabelLoss()(logits, both, 24).item() == pytest.approx(expected.item() / 2)  # half of the step's cells
    with pytest.raises(InvalidArgumentError, match=r"logits have shape \(4, 2\), labels \(4, 1\)"):
        soft_cross_entropy(logits, labels[:, :1])


def test_a_loop_of_ones_own_learns() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(256, 2)).astype(np.float32)
    p = 1 / (1 + np.exp(-3 * x[:, :1]))
    dataset = SoftLabelDataset(x, np.concatenate([1 - p, p], 1), weighting="entropy", voted=np.arange(256) > 5)
    assert len(dataset) == 250
    torch.manual_seed(0)
    model = torch.nn.Linear(2, 2)
    steps = torch.optim.Adam(model.parameters(), 0.05)
    for _ in range(8):
        for features, label, weight in torch.utils.data.DataLoader(dataset, batch_size=64, shuffle=True):
            steps.zero_grad()
            soft_cross_entropy(model(features), label, weight).backward()
            steps.step()
    direction = (model.weight[1] - model.weight[0]).detach()
    assert direction[0] > 5 * abs(direction[1])
    assert [type(one) for one in SoftLabelDataset(["a"], [[0.0, 1.0]])[0]] == [str, torch.Tensor, torch.Tensor]


def test_what_is_wrong_is_said() -> None:
    with pytest.raises(InvalidArgumentError, match="encodings hold labels already"):
        trainer_dataset({"labels": [1]}, [[0.5, 0.5]])
    with pytest.raises(InvalidArgumentError, match=r"columns of one length, got \[1, 2\]"):
        trainer_dataset({"a": [1], "b": [1, 2]}, [[0.5, 0.5]])
    with pytest.raises(InvalidArgumentError, match="features have 1 rows, soft labels 2"):
        trainer_dataset({"a": [1]}, [[0.5, 0.5]] * 2)


def test_items_of_a_trainer_data_set() -> None:
    train = trainer_dataset({"input_ids": [[1], [2], [3], [4]]}, SOFT, voted=[True, False, True, True])
    assert len(train) == 3
    assert train[1]["input_ids"] == [3]
    assert train[2]["labels"] == pytest.approx([0.4, 0.6, 1.0])


@pytest.mark.filterwarnings("ignore")
def test_items_are_padded_by_the_collator_of_transformers() -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    tokenizers = pytest.importorskip("tokenizers", reason="tokenizers is not installed")
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel({"[PAD]": 0, "a": 1, "b": 2}, unk_token="[PAD]"))
    words.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=words, pad_token="[PAD]")
    train = trainer_dataset(tokenizer(["a b", "b"]), SOFT[:2])
    batch = transformers.DataCollatorWithPadding(tokenizer)([train[0], train[1]])
    assert batch["input_ids"].tolist() == [[1, 2], [2, 0]]
    np.testing.assert_allclose(batch["labels"], np.array([[0.2, 0.8, 1], [1, 0, 1]]), rtol=1e-6)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_trainer_learns_from_soft_labels(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    pytest.importorskip("accelerate", reason="accelerate is not installed, which Trainer needs")
    rng = np.random.default_rng(0)
    tokens = rng.integers(2, 20, (200, 6))
    p = np.where((tokens == 3).any(1), 0.9, 0.1)
    encodings: dict[str, Any] = {"input_ids": tokens.tolist(), "attention_mask": np.ones_like(tokens).tolist()}
    train = trainer_dataset(encodings, np.stack([1 - p, p], 1))
    transformers.set_seed(0)
    config = transformers.BertConfig(
        vocab_size=20, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, num_labels=2
    )
    model = transformers.BertForSequenceClassification(config)
    arguments = transformers.TrainingArguments(
        str(tmp_path), num_train_epochs=15, learning_rate=3e-3, report_to=[], use_cpu=True, logging_strategy="no"
    )
    transformers.Trainer(model=model, args=arguments, train_dataset=train, compute_loss_func=SoftLabelLoss()).train()
    model.eval()
    with torch.no_grad():
        found = model(input_ids=torch.tensor(tokens)).logits.softmax(-1)[:, 1].numpy()
    assert ((found > 0.5) == (p > 0.5)).mean() > 0.95
    assert abs(found[p > 0.5].mean() - 0.9) < 0.07  # soft labels, not hard ones
