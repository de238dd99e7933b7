"""`LanguageModel`: learns a text symbol by symbol, writes more of it, and says how likely a text is."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import msgspec
import numpy as np

from .. import cells, model_file
from ..architecture import ModelArchitecture, SymbolArchitecture
from ..cells import Cell
from ..data.streams import Ids
from ..data.text import Text, read_bytes, read_text
from ..data.vocabulary import Unknown, Vocabulary
from ..errors import DataError, FileFormatError, OptionError
from ..evaluate.baselines import baselines
from ..evaluate.metrics import FIGURES, figures
from ..runtime import SymbolRuntime
from ..runtime.sampling import Sampling
from ..stored import kind_of
from ..versions import versions
from .fitted import Fitted
from .language_options import LanguageOptions, sized
from .options import Natural, make
from .parts import damaged
from .resuming import check_cell, check_checkpoint, check_same, going_on
from .runs import Runs

if TYPE_CHECKING:
    from ..training.session import Session

TASK = "language"
Figures = dict[str, float]
"""A number for each of `FIGURES`."""
Source = str | bytes | Text[Any] | Path | Sequence[Path]
"""A text itself, or the file or files that hold it."""


class DataRecord(msgspec.Struct, frozen=True):
    """What a model remembers of its data: digests and lengths, never the text.

    digest, length: of the whole text, in symbols. train_length: symbols of its beginning that were trained
    on. valid_digest: of the held-out text, where that was a text of its own.
    """

    digest: str
    length: Natural
    train_length: Natural
    valid_digest: str | None = None


class Document(msgspec.Struct, frozen=True):
    """What a language model's file says beside its weights."""

    versions: dict[str, str]
    cell: dict[str, Any]
    vocabulary: Any
    options: LanguageOptions
    data: DataRecord
    history: list[dict[str, int | float]]
    metrics: Figures
    baselines: dict[str, Figures]


class Evaluation(msgspec.Struct, frozen=True, omit_defaults=True):
    """Figures of a model beside those of the baselines on the same held-out text.

    missing: baselines that could not be had, each with what would supply it.
    """

    task: str
    metrics: Figures
    baselines: dict[str, Figures]
    missing: dict[str, str] = {}


class LanguageModel(Fitted, Runs):
    """A model of text: p(next symbol | all symbols before it), by a recurrent network over symbols.

    cell: a `Cell`, or the name of one that comes with Ostinato. options: the fields of
    `LanguageOptions`, such as ``hidden_size``, ``num_layers``, ``time="10m"``, ``seed``; those left out are chosen
    from the text's length and the stated time.

        model = LanguageModel(cell="gru", time="2m").fit(Path("book.txt"))
        print(model.generate("Once upon"))
        model.save("book.safetensors")

    After `fit` or `ostinato.load`: ``options_`` (with every size set), ``weights_``, ``vocabulary_``,
    ``architecture_``, ``history_`` (a record an
    evaluation: step, train and valid loss in nats a symbol), ``metrics_`` and ``baselines_`` (figures
    on the held-out text), ``data_`` (digests and lengths). Only `fit` needs torch.

    Raises OptionError for an unknown option, or one that is out of range.
    """

    task = TASK
    learner, learns_from = "model", "text"
    options_: LanguageOptions
    architecture_: SymbolArchitecture
    vocabulary_: Vocabulary
    weights_: dict[str, Any]
    history_: list[dict[str, int | float]]
    metrics_: Figures
    baselines_: dict[str, Figures]
    data_: DataRecord
    versions_: dict[str, str]

    def __init__(self, cell: Cell | str = "lstm", **options: Any) -> None:
        self.cell = cells.find(cell)
        self.options = make(LanguageOptions, options | {"cell": self.cell.name})
        self._stated = frozenset(options)

    # ---- training

    def fit(
        self,
        text: Source,
        valid: Source | None = None,
        *,
        checkpoint: str | os.PathLike[str] | None = None,
        resume: bool = False,
        quiet: bool = False,
        log: str | os.PathLike[str] | None = None,
    ) -> LanguageModel:
        """Learn from a text and return self.

        text: the text itself (a str, or bytes for ``tokens="bytes"``), or a path, or several. valid: the
        held-out text; by default the last tenth of `text`. checkpoint: a file that keeps the run while it
        goes on, so that Ctrl-C or SIGTERM loses nothing; with resume=True the run goes on from there, as
        if it had never stopped. quiet: no messages on standard error. log: a file for JSON lines.

        Raises DataError (the text cannot be used), OptionError, TrainingError, Interrupted.
        """
        started = time.monotonic()
        from ..training.report import Report
        from ..training.session import Session, open_checkpoint

        self.options.check()
        check_checkpoint(checkpoint, resume)
        with Report(quiet, log) as report:
            held_out = None if valid is None else self._text(valid)
            learned = self._text(text)
            kept = open_checkpoint(checkpoint, LanguageOptions, TASK) if resume and checkpoint is not None else None
            self._learn(learned, held_out, Session(self.options, self.cell, report, started, checkpoint, kept))
        return self

    def _learn(self, text: Text[Any], valid: Text[Any] | None, session: Session[LanguageOptions]) -> None:
        from ..training import language as training

        digest, report = text.digest + (valid.digest if valid else ""), session.report
        options = self._resumed(session, digest)
        train_part, held_out_part = _split(text, valid, options.valid_fraction)
        vocabulary = Vocabulary.of_bytes() if options.tokens == "bytes" else Vocabulary.of_characters(train_part)
        train, held_out = vocabulary.encode(train_part), vocabulary.encode(held_out_part, unknown="skip")
        _check_held_out(held_out)
        options = sized(options, len(train))
        architecture = _architecture(self.cell, vocabulary, options)
        report.say(f"{len(train):,} symbols to train on, {len(held_out):,} held out, vocabulary of {vocabulary.size}")
        if len(held_out) < len(held_out_part):
            skipped = len(held_out_part) - len(held_out)
            report.say(f"{skipped:,} held-out characters do not occur in the training text and are not scored")
        report.say("baselines: uniform, unigram, order-5 Markov, xz …")
        beside = baselines(vocabulary, held_out, train)
        corpus = training.Corpus(train, held_out, digest)
        outcome = training.fit(architecture, options, corpus, session)
        self.options_ = options
        self.vocabulary_ = vocabulary
        self.architecture_ = architecture
        self.weights_ = outcome.weights
        self.history_ = outcome.history
        self.metrics_ = figures(outcome.loss * (len(held_out) - 1), vocabulary.count_characters(held_out[1:]))
        self.baselines_ = beside
        self.data_ = DataRecord(text.digest, len(text.content), len(train_part), valid.digest if valid else None)
        self.versions_ = versions()
        self._run_anew()

    def _resumed(self, session: Session[LanguageOptions], digest: str) -> LanguageOptions:
        """Return the options, of a run that goes on the plan's, with those that each start says anew.

        Raises OptionError where cell, text or options given now contradict the plan's.
        """
        if session.kept is None:
            return self.options
        plan = session.kept.plan
        check_cell(self.cell, plan.cell)
        session.check_data(digest, "another text")
        # What a symbol is decided how the text was read, so that it counts even when it was left out.
        check_same(self.options, plan.options, self._stated | {"tokens"})
        return going_on(self.options, plan.options, self._stated)

    def _text(self, source: Source) -> Text[Any]:
        """Return a text from itself or from files, as characters or bytes."""
        as_bytes = self.options.tokens == "bytes"
        if not isinstance(source, (Text, str, bytes)):
            return read_bytes(source) if as_bytes else read_text(source)
        text: Text[Any] = source if isinstance(source, Text) else Text(source)
        if isinstance(text.content, str) and as_bytes:
            return replace(text, content=text.content.encode("utf-8", "surrogatepass"))
        if isinstance(text.content, bytes) and not as_bytes:
            raise DataError("a model of characters was given bytes.", 'decode them, or use tokens="bytes".')
        return text

    # ---- use

    @property
    def runtime(self) -> SymbolRuntime:
        """What runs the weights; made at first use."""
        return self._running(SymbolRuntime)

    def as_chain(self) -> tuple[ModelArchitecture, dict[str, Any]]:
        """Return the network as a chain of parts: embedding, recurrent stack, linear layer; and its weights."""
        self._check_fitted()
        return self.architecture_.as_chain(self.weights_)

    def metadata(self) -> dict[str, str]:
        """Return the vocabulary as JSON: which character, or byte, each symbol stands for."""
        return {"vocabulary": msgspec.json.encode(self.vocabulary_.to_data()).decode()}

    def write(
        self,
        prompt: str = "",
        length: int = 500,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int | None = None,
        stop: str | None = None,
        unknown: Unknown = "error",
    ) -> Iterator[str]:
        """Yield text as it is made, the prompt left out; `generate` returns it whole.

        The state is carried: each symbol costs the same however long the text, and memory is constant.

        prompt: what to go on from; empty: from a line's beginning (where no newline is known, from the first
        symbol). length: symbols to write. temperature, top_k, top_p: as `Sampling` says. seed: makes it
        reproducible. stop: ends the text where this string appears, which is left out. unknown: what to do
        with characters of the prompt that the model does not know: ``"error"`` or ``"skip"``.

        Raises DataError for unknown characters, OptionError for figures out of range.
        """
        sampling = Sampling(temperature, top_k, top_p)
        for name, value in (("length", length), ("seed", seed)):
            if value is not None and value < 0:
                raise OptionError(f"{name} must be at least 0, not {value}.")
        runtime = self.runtime
        pieces = self._symbols(
            runtime, self._prompt_ids(prompt, unknown), length, sampling, np.random.default_rng(seed)
        )
        return _until(stop, pieces) if stop else pieces

    @overload
    def generate(self, prompt: str = ..., length: int = ..., *, samples: None = ..., **how: Any) -> str: ...

    @overload
    def generate(self, prompt: str = ..., length: int = ..., *, samples: int, **how: Any) -> list[str]: ...

    def generate(
        self, prompt: str = "", length: int = 500, *, samples: int | None = None, seed: int | None = None, **how: Any
    ) -> str | list[str]:
        """Return text that goes on from the prompt, which is left out.

        samples: None gives one text, a number a list of so many; with a seed, sample k has seed + k. The
        other arguments and the errors are those of `write`.
        """
        if samples is None:
            return "".join(self.write(prompt, length, seed=seed, **how))
        seeds = [None if seed is None else seed + index for index in range(samples)]
        return ["".join(self.write(prompt, length, seed=each, **how)) for each in seeds]

    def evaluate(
        self,
        text: Source,
        train: Source | None = None,
        *,
        unknown: Unknown = "error",
        progress: Callable[[float], None] = lambda done: None,
    ) -> Evaluation:
        """Say how likely a text is, beside the baselines.

        Where `text` is the one that the model learned from, only its held-out part counts, and the baselines
        learn from its training part. Else the whole text counts, and the baselines that need training data
        learn from `train`. Every symbol but the first is scored, given all before it. unknown: what to do with
        characters that the model does not know: ``"error"`` or ``"skip"``; those of its own held-out text are
        skipped, as they were by `fit`.

        Raises DataError when the text is too short or holds unknown characters.
        """
        runtime = self.runtime
        given = self._text(text)
        held_out_part, train_part = self._parts(given, None if train is None else self._text(train))
        is_own = given.digest == (self.data_.valid_digest or self.data_.digest)
        held_out = self.vocabulary_.encode(held_out_part, unknown="skip" if is_own else unknown)
        if len(held_out) < 2:
            raise DataError(
                f"a text of {len(held_out)} symbols has nothing to predict.", "give a text of at least two symbols."
            )
        characters = self.vocabulary_.count_characters(held_out[1:])
        learned = None if train_part is None else self.vocabulary_.encode(train_part, unknown="skip")
        beside = baselines(self.vocabulary_, held_out, learned)
        missing = {name: "--train FILE" for name in ("unigram", "markov5", "xz") if name not in beside}
        return Evaluation(TASK, figures(runtime.nats(held_out, progress), characters), beside, missing)

    def _parts(self, text: Text[Any], train: Text[Any] | None) -> tuple[Any, Any]:
        """Return the held-out part and, where there is one, the training part."""
        known, cut = self.data_, self.data_.train_length
        if text.digest == known.digest and known.valid_digest is None:
            return text.content[cut:], text.content[:cut]
        if train is not None and train.digest == known.digest:
            return text.content, train.content[:cut]
        return text.content, train.content if train is not None else None

    def _prompt_ids(self, prompt: str, unknown: Unknown) -> Ids:
        """Return the prompt's ids [T], at least one: a network scores what follows a symbol."""
        ids = self.vocabulary_.encode(prompt, unknown=unknown)
        if not len(ids):
            ids = self.vocabulary_.encode("\n", unknown="skip")
        return ids if len(ids) else np.zeros(1, np.int32)

    def _symbols(
        self, runtime: SymbolRuntime, prompt: Ids, length: int, sampling: Sampling, random: np.random.Generator
    ) -> Iterator[str]:
        decoder = self.vocabulary_.decoder()
        state = runtime.skim(prompt[:-1, None], runtime.initial_state())
        symbol = prompt[-1:]
        for _ in range(length):
            scores, state = runtime.step(symbol, state)
            symbol = np.array([sampling.draw(scores[0], random)])
            piece = decoder.feed(symbol)
            if piece:
                yield piece
        rest = decoder.finish()
        if rest:
            yield rest

    # ---- the file

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to one file, atomically. Raises OSError when it cannot be written."""
        self._check_fitted()
        document = Document(
            versions=self.versions_,
            cell=self.architecture_.cell.to_data(),
            vocabulary=self.vocabulary_.to_data(),
            options=self.options_,
            data=self.data_,
            history=self.history_,
            metrics=self.metrics_,
            baselines=self.baselines_,
        )
        model_file.write(path, TASK, document, self.weights_)

    @classmethod
    def from_file(
        cls, path: str | os.PathLike[str], plain: dict[str, Any], tensors: model_file.Tensors
    ) -> LanguageModel:
        """Build a model from what `model_file.read` returned, checking everything. Raises FileFormatError."""
        document = model_file.decode(path, plain, Document)
        with damaged(path):
            cell = Cell.from_data(document.cell)
            vocabulary = Vocabulary.from_data(document.vocabulary)
            if document.options.hidden_size is None or document.options.num_layers > len(tensors):
                raise FileFormatError("its sizes are missing or impossible.")
            if any(each.keys() != set(FIGURES) for each in (document.metrics, *document.baselines.values())):
                raise FileFormatError("its figures are not those of a model of text.")
            architecture = _architecture(cell, vocabulary, document.options)
            shapes = architecture.weight_shapes()
        model_file.check_shapes(path, tensors, shapes)
        model = cls(cell)
        model.options = model.options_ = document.options
        model.architecture_ = architecture
        model.vocabulary_ = vocabulary
        model.weights_ = tensors
        model.history_ = document.history
        model.metrics_ = document.metrics
        model.baselines_ = document.baselines
        model.data_ = document.data
        model.versions_ = document.versions
        return model

    def summary(self) -> Mapping[str, Any]:
        """Return what `ostinato info` tells, as plain data."""
        return _summary(self)

    def __repr__(self) -> str:
        if not hasattr(self, "weights_"):
            return f"LanguageModel(cell={self.cell.name!r}), not fitted"
        sizes = f"num_layers={self.options_.num_layers}, hidden_size={self.options_.hidden_size}"
        loss = self.metrics_["nats_per_character"]
        return f"LanguageModel(cell={self.cell.name!r}, {sizes}), {loss:.4f} nats a character"


def _architecture(cell: Cell, vocabulary: Vocabulary, options: LanguageOptions) -> SymbolArchitecture:
    assert options.hidden_size is not None
    return SymbolArchitecture(cell, vocabulary.size, options.embedding_size, options.hidden_size, options.num_layers)


def _split(text: Text[Any], valid: Text[Any] | None, fraction: float) -> tuple[Any, Any]:
    """Return the training part and the held-out part: the text's end, or a text of its own."""
    cut = len(text.content) if valid else int(len(text.content) * (1 - fraction))
    if cut < 2:
        raise DataError(f"a text of {len(text.content)} symbols is too short to train on.", "give a longer text.")
    return text.content[:cut], valid.content if valid else text.content[cut:]


def _check_held_out(held_out: Ids) -> None:
    if len(held_out) < 2:
        raise DataError(
            f"the held-out text has {len(held_out)} symbols, and at least 2 are needed.",
            "give a longer text, a larger --valid-fraction, or a held-out text of its own with --valid.",
        )


def _until(stop: str, pieces: Iterator[str]) -> Iterator[str]:
    """Yield the text of pieces up to the stop string, holding back only what may be its beginning."""
    held = ""
    for piece in pieces:
        held += piece
        place = held.find(stop)
        if place >= 0:
            yield held[:place]
            return
        keep = next((n for n in range(min(len(stop) - 1, len(held)), 0, -1) if stop.startswith(held[-n:])), 0)
        if len(held) > keep:
            yield held[: len(held) - keep]
            held = held[len(held) - keep :]
    if held:
        yield held


def _summary(model: LanguageModel) -> Mapping[str, Any]:
    options = msgspec.structs.asdict(model.options_)
    weights = sum(array.size for array in model.weights_.values())
    return {
        "task": TASK,
        "cell": {"name": model.cell.name, "doc": model.cell.doc, "program": str(model.cell.program)},
        "sizes": {
            "hidden_size": options["hidden_size"],
            "num_layers": options["num_layers"],
            "embedding_size": options["embedding_size"],
            "vocabulary": model.vocabulary_.size,
            "weights": weights,
        },
        "matrices": kind_of(model.weights_),
        "vocabulary": {"kind": model.vocabulary_.kind, "symbols": _symbols_of(model.vocabulary_)},
        "data": msgspec.to_builtins(model.data_),
        "metrics": model.metrics_,
        "baselines": model.baselines_,
        "options": options,
        "versions": model.versions_,
    }


def _symbols_of(vocabulary: Vocabulary) -> str:
    return "all 256" if vocabulary.kind == "bytes" else vocabulary.decode(np.arange(vocabulary.size))
