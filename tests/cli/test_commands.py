"""The commands on small texts: what they print, where it goes, and what they leave."""

import gzip
import io
import json
import lzma
import os
import shlex
import sys

import pytest

import ostinato
from ostinato import model_file
from ostinato.cells import CELLS
from ostinato.cli import cli, run
from ostinato.tasks.language import LanguageModel
from tests.cli.running import succeed
from tests.small import FLAGS, SIZES, TEXT

FIGURES = {"nats_per_character", "bits_per_character", "perplexity"}
BASELINES = ["uniform", "unigram", "markov5", "xz"]
FIT = ["fit", "language"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder with a text in it, which is where the command runs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text(TEXT)
    return tmp_path


def weights(path):
    return {name: array.tobytes() for name, array in model_file.read(path)[1].items()}


def paths_of(command=cli, path=()):
    """Every command, as the words that call it."""
    for name, each in command.commands.items():
        yield (*path, name)
        if hasattr(each, "commands"):
            yield from paths_of(each, (*path, name))


# ---- help


@pytest.mark.parametrize("path", [p for p in paths_of() if p != ("fit",)], ids=" ".join)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_every_command_explains_itself_with_an_example_on_a_line_of_its_own(capsys, path, flag):
    out = succeed(capsys, *path, flag).out
    lines = [line.strip() for line in out.splitlines()]
    assert lines[0].startswith(f"Usage: ostinato {' '.join(path)}")
    assert lines[lines.index("Example:") + 1].startswith(f"ostinato {' '.join(path)}")
    assert "\\b" not in out


def test_the_help_lists_every_command_and_where_to_begin(capsys):
    out = succeed(capsys, "--help").out
    assert all(f"\n  {name} " in out for name in ("demo", "fit", "generate", "evaluate", "info", "cells"))
    assert "Begin with:  ostinato demo\n" in out
    assert "language" in succeed(capsys, "fit", "--help").out


def test_the_version(capsys):
    assert succeed(capsys, "--version").out == f"ostinato, version {ostinato.__version__}\n"


# ---- fit


def test_fit_leaves_one_model_that_is_the_librarys(capsys, folder, small_model):
    said = succeed(capsys, *FIT, "text.txt", "--cell", "gru", *FLAGS)
    assert sorted(os.listdir(folder)) == ["text.safetensors", "text.txt"]
    opened = ostinato.load("text.safetensors")
    assert weights("text.safetensors") == {name: array.tobytes() for name, array in small_model.weights_.items()}
    assert opened.metrics_ == small_model.metrics_
    assert "text.safetensors" in said.out
    assert "written: text.safetensors (0.0 MB); try:\n  ostinato generate text.safetensors\n" in said.err
    assert said.err.count("\nstep ") == 3


def test_figures_stand_beside_the_baselines_best_first_and_a_winning_baseline_is_named(capsys):
    out = succeed(capsys, *FIT, "text.txt", *FLAGS, "-o", "m.safetensors").out
    title, *rows = out.split("\n\n")[0].splitlines()
    assert title.split() == ["nats/character", "bits/character", "perplexity"]
    assert {row[:16].strip() for row in rows} == {"m.safetensors", "uniform", "unigram", "order-5 Markov", "xz, primed"}
    nats = [float(row[16:].split()[0]) for row in rows]
    assert nats == sorted(nats)
    assert "The baseline order-5 Markov beats the model on this text." in out


def test_quiet_says_nothing_but_the_result(capsys):
    said = succeed(capsys, *FIT, "text.txt", *FLAGS, "--quiet")
    assert said.err == ""
    assert said.out.startswith(" ")
    assert "nats/character" in said.out.splitlines()[0]


def test_json_is_one_object_of_the_documented_shape(capsys):
    result = json.loads(succeed(capsys, *FIT, "text.txt", *FLAGS, "--json").out)
    assert sorted(result) == ["baselines", "metrics", "model", "task"]
    assert (result["task"], result["model"]) == ("language", "text.safetensors")
    assert result["metrics"].keys() == FIGURES
    assert list(result["baselines"]) == BASELINES
    assert all(figures.keys() == FIGURES for figures in result["baselines"].values())


@pytest.mark.parametrize(
    ("name", "pack"), [("packed.txt.gz", gzip.compress), ("packed.txt.xz", lzma.compress), ("packed.txt", bytes)]
)
def test_compressed_files_give_the_same_model_under_their_own_name(capsys, folder, small_file, name, pack):
    (folder / name).write_bytes(pack(TEXT.encode()))
    succeed(capsys, *FIT, name, "--cell", "gru", *FLAGS, "-q")
    assert weights("packed.safetensors") == weights(small_file)


def test_standard_input_is_a_text(capsys, monkeypatch, small_file):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(TEXT.encode())))
    succeed(capsys, *FIT, "-", "--cell", "gru", *FLAGS, "-q")
    assert weights("model.safetensors") == weights(small_file)


def test_several_files_and_folders_are_one_text(capsys, folder, small_file):
    lines = TEXT.splitlines(keepends=True)
    parts = {"b.txt": lines[:100], "folder/a.txt": lines[100:120], "folder/deep/z.txt": lines[120:]}
    (folder / "folder" / "deep").mkdir(parents=True)
    for name, part in parts.items():
        (folder / name).write_text("".join(part))
    (folder / "folder" / "picture").write_bytes(b"\0\1\2")
    said = succeed(capsys, *FIT, "b.txt", "folder", "--cell", "gru", *FLAGS)
    assert "left out: 1 binary file\n" in said.err
    assert weights("b.safetensors") == weights(small_file)


def test_a_folder_gives_its_name(capsys, folder):
    (folder / "books.d").mkdir()
    (folder / "books.d" / "one").write_text(TEXT)
    succeed(capsys, *FIT, "books.d", *FLAGS, "-q")
    assert (folder / "books.safetensors").exists()


def test_held_out_text_may_be_files_or_a_share(capsys, folder):
    (folder / "valid.txt").write_text(TEXT[:700])
    said = succeed(capsys, *FIT, "text.txt", "--valid", "valid.txt", *FLAGS)
    assert "12,000 symbols to train on, 700 held out" in said.err
    said = succeed(capsys, *FIT, "text.txt", "--valid-fraction", "0.3", *FLAGS)
    assert "8,400 symbols to train on, " in said.err


def test_encodings_and_bytes(capsys, folder):
    (folder / "old.txt").write_bytes("Füße und Öl. ".encode("latin-1") * 300)
    succeed(capsys, *FIT, "old.txt", "--encoding", "latin-1", *FLAGS, "-q")
    assert "ü" in ostinato.load("old.safetensors").vocabulary_.decode(range(11))
    succeed(capsys, *FIT, "old.txt", "--tokens", "bytes", *FLAGS, "-q", "-o", "bytes.safetensors")
    assert ostinato.load("bytes.safetensors").vocabulary_.size == 256


def test_the_log_is_of_json_lines(capsys, folder):
    succeed(capsys, *FIT, "text.txt", *FLAGS, "--log", "log.jsonl", "-q")
    events = [json.loads(line)["event"] for line in (folder / "log.jsonl").read_text().splitlines()]
    assert events == ["plan", "evaluation", "evaluation", "evaluation"]


def test_short_flags_and_long_ones_are_the_same(capsys):
    short = {"--hidden-size": "--hidden", "--num-layers": "--layers"}
    assert short.keys() <= set(FLAGS)
    succeed(capsys, *FIT, "text.txt", *[short.get(flag, flag) for flag in FLAGS], "-q", "-o", "short.safetensors")
    succeed(capsys, *FIT, "text.txt", *FLAGS, "-q", "-o", "long.safetensors")
    assert weights("short.safetensors") == weights("long.safetensors")


def test_an_older_model_is_replaced(capsys, folder):
    succeed(capsys, *FIT, "text.txt", *FLAGS, "-q")
    before = (folder / "text.safetensors").read_bytes()
    succeed(capsys, *FIT, "text.txt", *FLAGS, "--seed", "1", "-q")
    assert (folder / "text.safetensors").read_bytes() != before


# ---- generate


def test_generate_prints_the_prompt_and_what_goes_on_from_it(capsys, small_file, small_model):
    out = succeed(capsys, "generate", small_file, "--prompt", "if ", "-n", "50", "--seed", "3").out
    assert out == "if " + small_model.generate("if ", 50, temperature=0.8, seed=3) + "\n"


def test_generate_takes_every_figure(capsys, small_file, small_model):
    how = ["-t", "0.5", "--top-k", "9", "--top-p", "0.9", "--seed", "3", "--stop", "e"]
    out = succeed(capsys, "generate", small_file, "-p", "if ", *how).out
    expected = small_model.generate("if ", 500, temperature=0.5, top_k=9, top_p=0.9, seed=3, stop="e")
    assert out == f"if {expected}\n"


def test_samples_are_told_apart(capsys, small_file, small_model):
    out = succeed(capsys, "generate", small_file, "-p", "if", "-n", "20", "--samples", "3", "--seed", "5").out
    texts = [small_model.generate("if", 20, temperature=0.8, seed=seed) for seed in (5, 6, 7)]
    assert out == f"if{texts[0]}\n\n--- sample 2 ---\nif{texts[1]}\n\n--- sample 3 ---\nif{texts[2]}\n"


def test_generate_gives_json(capsys, small_file, small_model):
    out = succeed(capsys, "generate", small_file, "-p", "if", "-n", "20", "--samples", "2", "--seed", "5", "--json").out
    samples = small_model.generate("if", 20, samples=2, temperature=0.8, seed=5)
    assert json.loads(out) == {"task": "language", "prompt": "if", "samples": samples}


def test_unknown_characters_may_be_skipped(capsys, small_file):
    known = succeed(capsys, "generate", small_file, "-p", "if", "-n", "20", "--seed", "5").out
    skipped = succeed(capsys, "generate", small_file, "-p", "€if", "-n", "20", "--seed", "5", "--unknown", "skip").out
    assert skipped == "€" + known


# ---- evaluate


def test_evaluate_takes_the_recorded_split_of_its_own_text(capsys, small_file, small_model):
    result = json.loads(succeed(capsys, "evaluate", small_file, "text.txt", "--json").out)
    assert sorted(result) == ["baselines", "metrics", "task"]
    assert result["task"] == "language"
    assert result["metrics"] == pytest.approx(small_model.metrics_, rel=1e-5)
    assert result["baselines"] == small_model.baselines_


def test_evaluate_names_the_missing_baselines_with_the_command_that_supplies_them(
    capsys, folder, small_file, monkeypatch
):
    (folder / "other text.txt").write_text(TEXT[1000:1600])
    arguments = ["evaluate", str(small_file), "other text.txt"]
    monkeypatch.setattr(sys, "argv", ["ostinato", *arguments])
    said = succeed(capsys, *arguments)
    assert "unigram" not in said.out
    assert said.err.splitlines()[-2:] == [
        "missing: unigram, order-5 Markov, xz, primed, which learn from the training text; with them:",
        f"  ostinato evaluate {small_file} 'other text.txt' --train FILE",
    ]
    result = json.loads(succeed(capsys, *arguments, "--json").out)
    assert result["missing"] == dict.fromkeys(BASELINES[1:], "--train FILE")
    assert succeed(capsys, *arguments, "--quiet").err == ""


def test_evaluate_with_a_training_text_has_every_baseline(capsys, folder, small_file, small_model):
    (folder / "held out.txt").write_text(TEXT[int(len(TEXT) * 0.9) :])
    arguments = ["evaluate", small_file, "held out.txt", "--train", "text.txt", "--unknown", "skip"]
    result = json.loads(succeed(capsys, *arguments, "--json").out)
    assert result["baselines"] == small_model.baselines_
    assert "missing" not in result
    said = succeed(capsys, *arguments)
    assert "missing" not in said.err
    assert "xz, primed" in said.out


def test_evaluate_reads_archives_folders_and_standard_input(capsys, folder, small_file, monkeypatch):
    plain = succeed(capsys, "evaluate", small_file, "text.txt", "--json").out
    (folder / "text.txt.gz").write_bytes(gzip.compress(TEXT.encode()))
    assert succeed(capsys, "evaluate", small_file, "text.txt.gz", "--json").out == plain
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(TEXT.encode())))
    assert succeed(capsys, "evaluate", small_file, "-", "--json").out == plain


# ---- info and cells


def test_info_tells_what_a_model_holds(capsys, small_file, small_model):
    out = succeed(capsys, "info", small_file).out
    for line in str(small_model.cell.program).splitlines():
        assert line.rstrip() in out
    for text in (
        "task: language",
        "hidden_size: 8",
        f"vocabulary: {small_model.vocabulary_.size}",
        small_model.data_.digest,
        "ostinato: 0.1.0",
    ):
        assert text in out
    assert f"nats_per_character: {small_model.metrics_['nats_per_character']:.4f}" in out


def test_info_gives_json(capsys, small_file, small_model):
    told = json.loads(succeed(capsys, "info", small_file, "--json").out)
    assert set(told) == {
        "task", "cell", "sizes", "matrices", "vocabulary", "data", "metrics", "baselines", "options", "versions",
    }  # fmt: skip
    assert told["metrics"] == small_model.metrics_
    assert told["cell"]["program"] == str(small_model.cell.program)
    assert told["sizes"]["weights"] == sum(array.size for array in small_model.weights_.values())
    assert told["options"]["hidden_size"] == SIZES["hidden_size"]
    assert len(told["vocabulary"]["symbols"]) == told["sizes"]["vocabulary"] == small_model.vocabulary_.size


def test_cells_lists_every_cell_with_its_equations(capsys):
    out = succeed(capsys, "cells").out
    for cell in CELLS.values():
        assert f"{cell.name}\n" in out
        assert cell.doc.splitlines()[0] in out


def test_a_named_cell_comes_with_its_program(capsys):
    assert succeed(capsys, "cells", "gru").out == f"{CELLS['gru']}\n"
    assert succeed(capsys, "cells", "gru", "lstm").out == f"{CELLS['gru']}\n\n{CELLS['lstm']}\n"


def test_cells_give_json_that_is_the_cell(capsys):
    (data,) = json.loads(succeed(capsys, "cells", "gru_v1", "--json").out)["cells"]
    assert ostinato.cells.Cell.from_data(data) == CELLS["gru_v1"]


OWN = '''
from ostinato.cells import cell, tanh

@cell(gates="a", state="h")
def mine(x, R, s):
    """A cell of the user's."""
    return tanh(x.a + R.a(s.h))

number = 5
'''


def test_a_cell_in_a_file_is_shown_and_learns(capsys, folder):
    (folder / "own.py").write_text(OWN)
    assert "A cell of the user's." in succeed(capsys, "cells", "own.py:mine").out
    succeed(capsys, *FIT, "text.txt", "--cell", "own.py:mine", *FLAGS, "-q")
    assert ostinato.load("text.safetensors").cell.name == "mine"


# ---- demo


def quick(monkeypatch):
    """Let the demo take a few steps on a part of its text."""
    monkeypatch.setattr(sys.modules["ostinato.cli.demo"], "documentation", lambda: TEXT)
    monkeypatch.setattr("ostinato.tasks.language.LanguageModel", lambda time: LanguageModel("gru", **SIZES))


def test_the_demo_leaves_one_file_and_prints_figures_a_sample_and_three_commands(capsys, folder, monkeypatch):
    quick(monkeypatch)
    os.remove("text.txt")
    said = succeed(capsys, "demo")
    assert os.listdir(folder) == ["ostinato-demo.safetensors"]
    commands = [line.strip() for line in said.out.splitlines() if line.startswith("  ostinato ")]
    assert len(commands) == 3
    assert "order-5 Markov" in said.out
    assert "It writes:" in said.out
    assert ostinato.load("ostinato-demo.safetensors").metrics_


def test_the_commands_that_the_demo_prints_work(capsys, folder, monkeypatch):
    quick(monkeypatch)
    out = succeed(capsys, "demo", "-o", "a model.safetensors", "-q").out
    first, second, _ = [line.strip() for line in out.splitlines() if line.startswith("  ostinato ")]
    for command in (first, second):
        assert run(shlex.split(command)[1:]) == 0


def test_the_demo_may_run_again_and_gives_json(capsys, monkeypatch):
    quick(monkeypatch)
    for _ in range(2):
        result = json.loads(succeed(capsys, "demo", "--json", "-q").out)
    assert sorted(result) == ["baselines", "metrics", "model", "sample", "task"]


@pytest.mark.slow
def test_the_demo_as_it_is(capsys, folder):
    said = succeed(capsys, "demo")
    assert sorted(os.listdir(folder)) == ["ostinato-demo.safetensors", "text.txt"]
    model = ostinato.load("ostinato-demo.safetensors")
    # How much it learns in its time depends on what else the machine does.
    assert model.metrics_["nats_per_character"] < model.baselines_["uniform"]["nats_per_character"]
    assert len([line for line in said.out.splitlines() if line.startswith("  ostinato ")]) == 3
