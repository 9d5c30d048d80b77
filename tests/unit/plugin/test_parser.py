"""The command line: valid and wrong usage."""

import pytest

from execution_operator.plugin.cli import run
from execution_operator.plugin.parser import parse


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "the following arguments are required: COMMAND"),
        ("destroy", "invalid choice: 'destroy'"),
        ("terminate x", "the following arguments are required: --reason"),
        ("terminate --reason=x", "exactly one of NAME"),
        ("terminate x --all --reason=x", "exactly one of NAME"),
        ("terminate x --execution-id=y --reason=x", "exactly one of NAME"),
        ("terminate x -A --reason=x", "-A needs -l or --all"),
        ("terminate --all -A -n y --reason=x", "-A and -n exclude each other"),
        ("terminate x --reason=", "1 to 500 characters"),
        ("terminate x --reason=\t", "1 to 500 characters"),
        (f"terminate x --reason={'x' * 501}", "1 to 500 characters"),
        ("terminate --execution-id= --reason=x", "1 to 255 characters"),
        (f"terminate --execution-id={'x' * 256} --reason=x", "1 to 255 characters"),
        ("terminate x --reason=x --grace=soon", "is not a duration"),
        ("terminate x --reason=x --grace=1.5s", "whole seconds"),
        ("terminate x --reason=x --grace=25h", "24h at most"),
        ("terminate x --reason=x --wait=-1s", "is not a duration"),
        ("terminate x --reason=x --wait 20s", "write --wait=20s"),
        ("terminate x --reason=x --wait --dry-run=server", "--wait and --dry-run exclude each other"),
        ("terminate x --reason=x --dry-run=yes", "invalid choice: 'yes'"),
        ("terminate x --reason=x -o wide", "invalid choice: 'wide'"),
        ("terminate x --reason=x --concurrency=0", "is not a positive number"),
        ("terminate x --reason=x --force", "unrecognized arguments: --force"),
        ("get x -l y", "NAME and -l exclude each other"),
        ("watch x -A", "-A and NAME exclude each other"),
        ("describe", "the following arguments are required: NAME"),
        ("import --limit=none", "is not a positive number"),
        ("completion csh", "invalid choice: 'csh'"),
    ],
)
def test_wrong_usage(line: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(line.split(" ") if line else [])
    error, help_line = capsys.readouterr().err.splitlines()
    command = line.partition(" ")[0] if " " in line or line == "describe" else ""
    assert ended.value.code == 2
    assert error.startswith("error: ")
    assert message in error
    assert help_line == f"See 'kubectl execution{' ' * bool(command)}{command} --help'."


@pytest.mark.parametrize("word", ["", "Bad", "x?dryRun=All", "../x", "x/y/z", "pod/x", "x.", "x" * 254])
@pytest.mark.parametrize("command", ["terminate --reason=x", "get", "describe", "watch"])
def test_invalid_names(command: str, word: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run([*command.split(), word])
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith(f"error: argument NAME: {word!r}")


@pytest.mark.parametrize("word", ["execution/x", "ex/x", "executions.control-plane.kubiya.ai/x", "x"])
def test_names(word: str) -> None:
    assert parse(["describe", word]).names == ["x"]


@pytest.mark.parametrize(("words", "seconds"), [(["--wait"], 300), (["--wait=2s"], 2), ([], None)])
def test_wait(words: list[str], seconds: float | None) -> None:
    assert parse(["terminate", "x", "--reason=x", *words]).wait == seconds


def test_name_in_the_form_of_a_time() -> None:
    assert parse(["terminate", "5m", "--reason=x", "--wait"]).names == ["5m"]
