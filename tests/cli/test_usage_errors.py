"""What a wrong command line is told, and help that breaks no name at a hyphen."""

import pytest

from commands import one_line, regnety


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (["predct"], "No such command 'predct'. (Did you mean one of: 'inspect', 'predict'?) (regnety --help)"),
        (["xyzzy"], "No such command 'xyzzy'. (regnety --help)"),
        (
            ["predict", "a.png", "--top-k", "three"],
            "Invalid value for '--top-k': 'three' is not a whole number. (regnety predict --help)",
        ),
        (
            ["predict", "a.png", "--min-probability", "x"],
            "Invalid value for '--min-probability': 'x' is not a number. (regnety predict --help)",
        ),
        (
            ["train", "--data", "s-0.tar", "s-1.tar", "-o", "runs"],
            "Got unexpected extra argument (s-1.tar) A pattern of several files is written in quotes, else the shell "
            "takes it apart. (regnety train --help)",
        ),
    ],
)
def test_what_is_wrong_and_where_to_read_on(line: list[str], message: str) -> None:
    result = regnety(*line)
    assert (result.returncode, one_line(result)) == (2, message)


@pytest.mark.parametrize("command", ["predict", "fetch", "quantize", "train"])
def test_no_line_of_help_ends_at_a_hyphen(command: str) -> None:
    lines = regnety(command, "--help", COLUMNS="80").stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert not [text for text in lines if text.endswith("-")]
