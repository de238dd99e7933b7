"""What is typed for public sets, and how what comes of it is told; the sets themselves are not needed."""

from pathlib import Path

import click
import pytest
from benchmarks.classification_problems import COLUMNS, PROTOCOLS, Protocol, commands_of, main, row_of
from benchmarks.forecast import Took
from click.testing import CliRunner

from benchmarks import classification_problems
from ostinato.cli import cli
from ostinato.cli.evaluate_labels import TITLES


def parsed(command, arguments):
    """Return what click makes of arguments, of the group's commands by name; raises for what it does not know."""
    # Each command in the context of its group, as click has it: what is remembered of a command is as it always is.
    context = None
    while isinstance(command, click.Group):
        context = click.Context(command, context, command.name, **command.context_settings)
        command, arguments = command.get_command(context, arguments[0]), arguments[1:]
    return command.make_context("it", list(arguments), context).params


@pytest.mark.parametrize("name", PROTOCOLS)
def test_commands_are_understood(name):
    protocol = PROTOCOLS[name]
    commands = commands_of(protocol, Path("data"), Path("made"), Path("m"), "7m")
    fit, evaluate = parsed(cli, commands.fit), parsed(cli, commands.evaluate)
    folder = Path("data" if protocol.made is None else "made").absolute()
    assert [Path(file).is_relative_to(folder) for file in (*fit["files"], *evaluate["files"])] == [True] * (
        len(protocol.train) + 1
    )
    assert evaluate["train"] == fit["files"]
    assert evaluate["model"] == str(fit["output"]) == "m"
    assert len(fit["valid"]) == (protocol.valid is not None)
    assert fit["time"] == protocol.fit.get("time", "7m")
    assert all(fit[option.removeprefix("no_")] is not None for option in protocol.fit)
    assert protocol.figure in TITLES


def test_what_is_not_understood_raises():
    commands = commands_of(Protocol(("a",), "b", 1.0, fit={"colour": 3}), Path("d"), Path("m"), Path("m"), "7m")
    with pytest.raises(click.UsageError, match="colour"):
        parsed(cli, commands.fit)


def took(figure, **baselines):
    beside = {name: {"entity_f1": value, "accuracy": 1.0} for name, value in baselines.items()}
    return Took({"metrics": {"entity_f1": figure, "accuracy": 0.9}, "baselines": beside}, 12.3, 400.0)


@pytest.mark.parametrize(
    ("figure", "best", "above", "expected"),
    [(0.3, 0.2, True, True), (0.24, 0.2, True, False), (0.3, 0.3, True, False), (0.3, 0.31, False, True)],
)
def test_a_target_is_met_where_it_and_the_baselines_are(figure, best, above, expected):
    protocol = Protocol(("a",), "b", 0.25, figure="entity_f1", above_baselines=above)
    row, met = row_of("set", protocol, Took({}, 45.6, 500.0), took(figure, a_b=0.1, c=best), 1.25)
    assert met is expected
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert len(cells) == len(COLUMNS)
    assert cells[:4] == ["set", "entity f1", f"**{figure:.4f}**", "≥ 0.25" + ", > baselines" * above]
    assert cells[4:9] == [f"a b 0.1000, c {best:.4f}", "46", "12", "500", "1.2"]
    assert cells[9] == ("met" if expected else "**not met**")


def test_a_table_is_printed_and_written(tmp_path, monkeypatch):
    typed = []

    def ostinato(*arguments):
        typed.append(arguments)
        if arguments[0] == "fit":
            model = Path(arguments[arguments.index("-o") + 1])
            model.write_bytes(bytes(2_000_000))
            assert all(Path(file).exists() for file in arguments[2:4] if file.endswith(".npz"))
        return took(0.9)._replace(printed={"metrics": {"accuracy": 0.9}, "baselines": {"neighbour": {"accuracy": 0.8}}})

    def make(name, data, target):
        (target / f"{name}-train.npz").touch()

    monkeypatch.setattr(classification_problems, "ostinato", ostinato)
    monkeypatch.setattr(classification_problems, "make", make)
    options = ["--only", "MSR", "--only", "Vowels", "--time", "3s", "--output", str(tmp_path / "table.md")]
    result = CliRunner().invoke(main, [str(tmp_path), *options])
    assert result.exit_code == 1, result.output
    table = result.output.splitlines()
    assert (tmp_path / "table.md").read_text().splitlines() == table
    assert len(table) == 4
    assert "| JapaneseVowels | accuracy | **0.9000** | ≥ 0.97 |" in table[2]
    assert table[2].endswith("| 2.0 | **not met** |")
    assert table[3].endswith("| 2.0 | met |")
    assert [arguments[0] for arguments in typed] == ["fit", "evaluate"] * 2
    assert all(arguments[arguments.index("--time") + 1] == "3s" for arguments in typed[::2])
