"""Messages, the log and the bar."""

import io
import json
import sys

import pytest

from ostinato.errors import DataError
from ostinato.training.report import Report


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_messages_go_to_standard_error_and_nothing_else_does(capsys):
    with Report() as report:
        report.start_progress("training", 10)
        report.progress(5, "loss 1.000")
        report.say("half done [bold]")
        report.event("half")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "half done [bold]\n"


def test_quiet_says_nothing_but_still_logs(capsys, tmp_path):
    with Report(quiet=True, log=tmp_path / "log") as report:
        report.say("half done")
        report.event("half", done=5)
    assert capsys.readouterr() == ("", "")
    assert json.loads((tmp_path / "log").read_text())["done"] == 5


def test_a_terminal_shows_a_bar_and_messages_above_it(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with Report() as report:
        report.start_progress("training", 10, done=2)
        report.progress(5, "loss 1.234")
        report.say("half done [bold]")
    assert "half done [bold]\n" in terminal.getvalue()
    assert "training" in terminal.getvalue()


def test_a_log_is_appended_to(tmp_path):
    log = tmp_path / "log"
    for number in (1, 2):
        with Report(quiet=True, log=log) as report:
            report.event("run", number=number)
    assert [json.loads(line)["number"] for line in log.read_text().splitlines()] == [1, 2]


def test_an_event_is_in_the_log_at_once(tmp_path):
    with Report(quiet=True, log=tmp_path / "log") as report:
        report.event("begun")
        assert json.loads((tmp_path / "log").read_text())["event"] == "begun"


@pytest.mark.parametrize(("name", "reason"), [("nowhere/log", "No such file or directory"), (".", "Is a directory")])
def test_a_log_that_cannot_be_written_is_told_at_once(tmp_path, name, reason):
    with pytest.raises(DataError, match=rf"the log .* cannot be written: {reason}\."):
        Report(log=tmp_path / name)
