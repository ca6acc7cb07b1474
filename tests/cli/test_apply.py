"""weaklabel apply: functions and prompts of a Python file over files of items."""

import gzip
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from weaklabel.cli.main import app
from weaklabel.formats.vote_tables import Layout, read_vote_table

WEAKLABEL = Path(sys.executable).with_name("weaklabel")
RULES = """
from neighbour import LINK
from weaklabel import ABSTAIN, LabelingFunction, labeling_function

CLASSES = ["ham", "spam"]
HAM, SPAM = range(2)

@labeling_function
def links(x):
    return SPAM if LINK in x.text else ABSTAIN

@labeling_function
def broken(x):
    return {"hello": HAM}[x.text]

def mentions(x, word):
    return SPAM if word in x.text else None

words = [LabelingFunction(mentions, name=word, resources={"word": word}) for word in ("buy", "win")]
again = links
"""
TEXTS = ["hello", "buy\nat http://x", "win, or lose"]
VOTES = [[None, "ham", None, None], ["spam", None, "spam", None], [None, None, None, "spam"]]


def run(*arguments: str | Path, stdin: str | bytes | None = None) -> Result:
    return CliRunner().invoke(app, [str(one) for one in arguments], input=stdin)


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    (tmp_path / "neighbour.py").write_text("LINK = 'http'\n")
    (path := tmp_path / "lf_rules.py").write_text(RULES)
    return path


def said(path: Path) -> list[list[str | None]]:
    table = read_vote_table(path, Layout(classes=["ham", "spam"]))
    assert table.votes.item_ids is not None
    assert table.votes.item_ids.tolist() == ["a", "b", "c"]
    assert table.votes.source_names == ("links", "broken", "buy", "win")
    return [[[*table.classes, None][code] for code in row] for row in table.votes.to_dense().tolist()]


def data_as(path: Path) -> Path:
    ids = ["a", "b", "c"]
    if path.suffix == ".jsonl":
        path.write_text("\n".join(json.dumps({"id": one, "text": text}) for one, text in zip(ids, TEXTS, strict=True)))
    elif path.suffix == ".parquet":
        pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        pq.write_table(pa.table({"id": ids, "text": TEXTS}), path)
    else:
        mark = "\t" if ".tsv" in path.name else ","
        rows = [f'{one}{mark}"{text}"' for one, text in zip(ids, TEXTS, strict=True)]
        text = "\r\n".join([f"id{mark}text", *rows])
        path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else b"\xef\xbb\xbf" + text.encode())
    return path


@pytest.mark.parametrize("name", ["d.csv", "d.tsv", "d.jsonl", "d.parquet", "d.csv.gz"])
@pytest.mark.parametrize("output", ["v.csv", "v.npz"])
def test_files_of_items_become_files_of_votes(rules: Path, tmp_path: Path, name: str, output: str) -> None:
    result = run("apply", rules, data_as(tmp_path / name), "-o", tmp_path / output)
    assert (result.exit_code, result.stdout) == (0, "")
    assert said(tmp_path / output) == VOTES
    line = "line 3" if "csv" in name or "tsv" in name else "line 2" if "jsonl" in name else "row 1"
    told = f"'broken' failed on 2 of 3 items; first {tmp_path / name}, {line}: KeyError"
    assert told in result.stderr
    assert "Traceback" not in result.stderr


def test_from_stdin_to_stdout_in_processes(rules: Path, tmp_path: Path) -> None:
    data = data_as(tmp_path / "d.csv").read_bytes()
    command: list[str | Path] = [WEAKLABEL, "apply", rules, "-", "--workers", "2", "--fail"]
    done = subprocess.run(command, input=data, capture_output=True, timeout=100, check=False)
    (path := tmp_path / "v.csv").write_bytes(done.stdout)
    assert said(path) == VOTES
    assert done.returncode == 1  # a function failed
    assert b"broken: 1 votes, 0 abstains, 2 errors" in done.stderr


def test_in_numbers(rules: Path, tmp_path: Path) -> None:
    result = run("apply", rules, data_as(tmp_path / "d.csv"), "-o", tmp_path / "v.tsv", "--json", "--to-long")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert (found["items"], found["classes"]) == (3, ["ham", "spam"])
    counts = [(one["source"], one["votes"], one["abstains"], one["errors"]) for one in found["sources"]]
    assert counts == [("links", 1, 2, 0), ("broken", 1, 0, 2), ("buy", 1, 2, 0), ("win", 1, 2, 0)]
    assert found["sources"][1]["first_error"].startswith(f"{tmp_path / 'd.csv'}, line 3: KeyError")
    assert (tmp_path / "v.tsv").read_text().splitlines()[:2] == ["item\tsource\tlabel", "a\tbroken\tham"]


def test_known_labels_go_along(rules: Path, tmp_path: Path) -> None:
    (path := tmp_path / "d.csv").write_text("id,text,truth\na,win,Spam\nb,buy,\nc,hello,0\n")
    assert "line 4, column 'truth' is '0', which is no class" in run("apply", rules, path, "--gold", "truth").stderr
    path.write_text(path.read_text().replace(",0", ",ham"))
    result = run("apply", rules, path, "--gold", "truth", "-o", tmp_path / "v.csv")
    assert result.exit_code == 0
    table = read_vote_table(tmp_path / "v.csv", Layout(gold="gold"))
    assert table.gold is not None
    assert table.gold.tolist() == [1, -1, 0]


def test_classes_without_names_are_told(tmp_path: Path) -> None:
    (path := tmp_path / "numbered.py").write_text(
        "from weaklabel import labeling_function\n@labeling_function\ndef f(x): return int(x.n)\n"
    )
    result = run("apply", path, "-", stdin="n\n0\n2\n")
    assert result.stdout.splitlines() == ["f", "0", "2"]
    assert "classes are called 0, 1, 2: name them by --classes" in result.stderr
    assert run("apply", path, "-", "--classes", "p,q,r", stdin="n\n0\n2\n").stdout.splitlines() == ["f", "p", "r"]


def test_vote_objects_need_an_archive(tmp_path: Path) -> None:
    (path := tmp_path / "imprecise.py").write_text(
        "from weaklabel import labeling_function, one_of\nCLASSES = ['p', 'q', 'r']\n"
        "@labeling_function\ndef f(x): return one_of(0, 2)\n@labeling_function\ndef g(x): return 1\n"
    )
    result = run("apply", path, "-", "-o", tmp_path / "v.csv", stdin="n\n0\n")
    assert result.exit_code == 2
    assert "write a file *.npz" in result.stderr
    assert run("apply", path, "-", "-o", tmp_path / "v.npz", stdin="n\n0\n").exit_code == 0
    assert not read_vote_table(tmp_path / "v.npz", Layout(classes=["p", "q", "r"])).votes.is_plain


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("none_here.py", "x = 1\n", "no labeling function and no prompt"),
        ("broken_import.py", "import json\n\nx = json.nope\n", "broken_import.py, line 3: AttributeError"),
        ("broken_syntax.py", "x = 1\ndef f(:\n", "broken_syntax.py, line 2: SyntaxError"),
        ("ends.py", "raise SystemExit(3)\n", "ends.py, line 1: SystemExit: 3"),
        ("json.py", "x = 1\n", "called as the module 'json' is: rename it"),
        ("a.b.py", "x = 1\n", "give a Python file, NAME.py"),
        ("rules.txt", "x = 1\n", "give a Python file, NAME.py"),
        ("classes_wrong.py", RULES.replace('["ham", "spam"]', "7"), "CLASSES must be a list of names"),
        (
            "same_name.py",
            "from weaklabel import LabelingFunction as F\nfs = [F(lambda x: 0, name='f'), F(lambda x: 1, name='f')]\n",
            "has two functions called 'f'",
        ),
    ],
)
def test_what_is_wrong_with_the_file_of_functions_is_one_line(
    tmp_path: Path, name: str, content: str, expected: str
) -> None:
    (tmp_path / "neighbour.py").write_text("LINK = 'http'\n")
    (path := tmp_path / name).write_text(content)
    result = run("apply", path, "-", stdin="text\nhello\n")
    assert (result.exit_code, result.stdout) == (2, "")
    (line,) = result.stderr.strip().splitlines()
    assert line.startswith("weaklabel apply: ")
    assert expected in line


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("id,text\n1,hello\n1,win\n", "stdin, line 3, column 'id': the id '1' is that of line 2 as well"),
        ("id,text\n1,hello\n2\n", "stdin, line 3, column 2: missing"),
        ("id,text\n", "no rows"),
        ("", "stdin is empty"),
    ],
)
def test_what_is_wrong_with_the_items_is_told_with_its_place(rules: Path, data: str, expected: str) -> None:
    result = run("apply", rules, "-", stdin=data)
    assert (result.exit_code, result.stdout) == (1, "")
    assert expected in result.stderr


@pytest.fixture
def endpoint() -> Iterator[str]:
    """A language model that says yes to what holds "buy"."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["content-length"])))
            said = "yes" if "buy" in str(body["messages"][-1]["content"]) else "no"
            message = {"role": "assistant", "content": json.dumps({"answer": said})}
            reply = {
                "id": "x",
                "object": "chat.completion",
                "created": 0,
                "model": "m",
                "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7},
            }
            data = json.dumps(reply).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()


def test_prompts_vote_beside_functions(tmp_path: Path, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openai")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    (path := tmp_path / "with_prompt.py").write_text(
        "from weaklabel import ABSTAIN, PromptFunction, labeling_function\n"
        "from weaklabel.prompts import Endpoint, PromptEngine\n"
        "CLASSES = ['ham', 'spam']\n"
        "asks = PromptFunction(name='asks', model='m', template='Buy? {text}', answers={'yes': 1, 'no': ABSTAIN})\n"
        "@labeling_function\ndef short(x): return 0 if len(x.text) < 4 else ABSTAIN\n"
        f"engine = PromptEngine(Endpoint(base_url={endpoint!r}), cache=None)\n"
    )
    result = run("apply", path, "-", stdin="text\nhey\nbuy it\n")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines() == ["asks,short", ",ham", "spam,"]
