"""`Classifier`: learns what labelled sequences are, and says it of others with a probability."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from .. import model_file
from ..architecture import ModelArchitecture
from ..data.classes import Classes
from ..data.decoded import is_standard_input
from ..data.examples import SeriesExamples
from ..data.sequences import shortened, sorted_batches
from ..data.series_encoder import SeriesEncoder
from ..data.spellings import SpellingEncoder
from ..errors import OptionError
from ..evaluate.logistic import LinearPart
from ..evaluate.mixture import fit_weights
from ..label_architecture import LabelArchitecture
from ..runtime import Model
from ..runtime.labels import LabelRuntime
from ..stored import kind_of as kind_of_matrices
from .classifier_data import Examples, examples_of
from .classifier_decisions import as_rows, decision, of_scores, probabilities, together
from .classifier_evaluation import ClassifierEvaluation, evaluated, figures_of
from .classifier_file import Document, check_document, kind_of_linear, linear_of
from .classifier_fitting import READING, Encoder, Prepared, as_learned, encoded, fitted_linear, linear_inputs, prepare
from .classifier_options import ClassifierOptions
from .classifier_sizes import MOST_STEPS
from .estimator import classifier_tags
from .label_stream import LabelStream
from .label_task import LabelTask
from .parts import network_of
from .runs import Runs

if TYPE_CHECKING:
    from ..training.session import Session

Array = NDArray[Any]
TASK = "classify"
BATCH = 256
"""Examples that are read at a time, at most."""


class Classifier(LabelTask, Runs):
    """A model that says of what class a sequence is: a text, or a series of numbers.

    options: the fields of `ClassifierOptions`, such as ``units``, ``cell``, ``time="10m"``, ``class_weights``; those
    left out are chosen from the examples and the stated time.

        classifier = Classifier(time="2m").fit(texts, labels)
        classifier.predict(["what a film"])
        classifier.predict_proba(["what a film"])  # [S, K], a column for each of classes_
        classifier.save("reviews.safetensors")

    Texts are a list of strings; series an array [S, T, D] or [S, T], or a list of arrays [T, D] or [T], whose lengths
    may differ, with not-a-number where a value is missing. Labels are strings or numbers, one each, or a list for each
    where several may apply. A path, or several, is read as `ostinato fit classify` does; so is a frame with columns.

    What is said is a mixture of two: a recurrent network, and a logistic regression on what occurs in the sequence; how
    much each counts, and how sure both are together, is what served the held-out examples best (`mixture_`).

    After `fit` or `ostinato.load`: ``classes_`` [K], ``options_`` (with every size set), ``encoder_``,
    ``architecture_``, ``weights_``, ``linear_``, ``mixture_``, ``history_``, ``metrics_`` (on the held-out examples).
    Only `fit` needs torch.

    Raises OptionError, in `fit`, for an unknown option, or one that is out of range.
    """

    task = TASK
    parameters = ClassifierOptions
    stages = (TASK, READING)
    learner, learns_from = "classifier", "X, y"
    _estimator_type = "classifier"
    options_: ClassifierOptions
    encoder_: Encoder
    architecture_: LabelArchitecture
    weights_: dict[str, Any]
    linear_: LinearPart[Any] | None
    mixture_: list[float]
    _classes: Classes

    def __sklearn_tags__(self) -> Any:
        return classifier_tags(several=True)

    # ---- training

    def fit(
        self,
        X: Any,
        y: Any = None,
        valid: Any = None,
        *,
        checkpoint: str | os.PathLike[str] | None = None,
        resume: bool = False,
        quiet: bool = False,
        log: str | os.PathLike[str] | None = None,
    ) -> Classifier:
        """Learn from labelled sequences and return self.

        X: the sequences. y: their labels, where X does not bring them. valid: what the best point is chosen by: as X
        where that brings its labels, else a pair of sequences and labels; by default a part of X, of each class alike.
        checkpoint, resume, quiet, log: as `LanguageModel.fit` has them.

        Raises DataError (the examples cannot be used), OptionError, TrainingError, Interrupted, MissingExtraError.
        """
        self._fit(X, y, valid, checkpoint, resume, quiet, log)
        self._classes = self._classes if y is None else self._classes.like(y)
        return self

    def _labelled(self, data: Any, labels: Any, options: ClassifierOptions) -> Examples:
        return examples_of(data, options, labels, labelled=True)

    def _learn(self, examples: Examples, valid: Examples | None, session: Session[ClassifierOptions]) -> None:
        from ..training import classifier as training

        report = session.report
        found = prepare(examples, valid, session.options, session.cell, report)
        session.check_data(found.material.digest, "other examples")
        if found.options.linear != "never":
            report.say("the linear part …")
        linear = fitted_linear(found, found.material.train, report)
        begin: dict[str, Any] = {}
        if found.reading is not None and not session.kept_of(TASK):
            from ..training import pretraining

            begin = pretraining.read(found, session)
            session = pretraining.after_reading(session, found.options)
        self._take(found, training.fit(found, begin, session))
        self._classes, self.linear_, self.mixture_ = found.classes, None, [1.0]
        self._mix(found, linear, report)

    def _mix(self, found: Prepared, linear: LinearPart[Any] | None, report: Any) -> None:
        """Choose how much each part counts, by the examples held out, and let the linear part learn from all."""
        material, numbers = found.material, found.material.valid
        judged = found.examples.select(numbers)
        self.linear_ = linear
        parts = self._parts(judged)
        truth, counts = material.truth[numbers], None
        if truth.ndim == 1 and material.shares is not None:
            counts = 1 / material.shares[truth]
        decisions = truth.astype(np.int64).ravel()
        self.mixture_ = fit_weights([as_rows(part) for part in parts], decisions, counts)
        self.metrics_ = figures_of(truth, together(parts, self.mixture_), self._classes.several)
        if linear is not None:
            report.say(f"weights: {self.mixture_[0]:.2f} of the network, {self.mixture_[1]:.2f} of the linear part")
            everything = np.sort(np.concatenate([material.train, numbers]))
            self.linear_ = fitted_linear(found, everything, report)

    # ---- use

    @property
    def classes_(self) -> Array:
        """The classes [K], in the order of the columns of probabilities, of the type that labels had in `fit`.

        Those of files are whole numbers if all are, else texts.
        """
        self._check_fitted()
        return self._classes.as_given()

    @property
    def label_runtime(self) -> LabelRuntime:
        """What runs the network's weights; made at first use."""
        return self._running(LabelRuntime)

    @property
    def runtime(self) -> Model:
        """What runs the network by itself, whose outputs are scores (logits) of the classes.

        Raises OptionError where words are spelled: their vectors are made before it.
        """
        found = self.label_runtime
        if isinstance(self.encoder_, SpellingEncoder):
            raise OptionError("words with their characters are no symbols that can be streamed.", "use predict_proba.")
        return found.model

    def reader(self) -> LabelStream:
        """Return what reads one sequence as it comes, without end, and says of what class it is so far.

        Raises OptionError as `LabelStream` does.
        """
        return LabelStream(self)

    def as_chain(self) -> tuple[ModelArchitecture, dict[str, Any]]:
        """Return the network as a chain of parts, and its weights."""
        _ = self.runtime
        return self.architecture_.chain, self.weights_

    def metadata(self) -> dict[str, str]:
        """Return classes and encoder as JSON: what the scores and what the inputs stand for."""
        told = {"classes": self._classes.names, "encoder": self.encoder_}
        return {name: msgspec.json.encode(value).decode() for name, value in told.items()}

    def predict(self, X: Any) -> Array:
        """Return the likeliest class of each sequence [S].

        Where several may apply, a list of those above ½ each; or zeros and ones [S, C], if labels were that in `fit`.
        """
        log_p, names = self.log_probabilities(self.read(X)), self.classes_
        if not self._classes.several:
            return np.asarray(names[log_p.argmax(axis=1)])
        applies = log_p[..., 1] > np.log(0.5)
        if self._classes.columns is not None:
            columns = np.zeros((len(log_p), self._classes.columns), np.int64)
            columns[:, names] = applies
            return columns
        found = np.empty(len(log_p), object)
        for row, each in enumerate(applies):
            found[row] = names[each].tolist()
        return found

    def predict_proba(self, X: Any) -> Array:
        """Return the probability of each class [S, K]; where several may apply, each column stands for itself."""
        return probabilities(self.log_probabilities(self.read(X)), self._classes)

    def decisions(
        self, examples: Examples, every_class: bool = False, progress: Callable[[float], None] = lambda done: None
    ) -> list[dict[str, Any]]:
        """Return a row for each sequence: ``place``, where it stands; ``label``; and its ``probability``.

        Series that have names are named, too: ``series``.

        every_class: and the ``probabilities`` of all classes by name. Where several may apply, label and probability
        are lists.
        """
        p = probabilities(self.log_probabilities(examples, progress), self._classes)
        rows = []
        for number, row in enumerate(p):
            told: dict[str, Any] = {"place": examples.places[number]}
            if isinstance(examples, SeriesExamples) and examples.ids is not None:
                told["series"] = examples.ids[number]
            rows.append(told | decision(row, self._classes, every_class))
        return rows

    def score(self, X: Any, y: Any = None) -> float:
        """Return the accuracy: the share of sequences whose label, or whose labels all together, are predicted."""
        return self.evaluate(X, y, baselines=False).metrics["accuracy"]

    def read(self, data: Any) -> Examples:
        """Return sequences as the model reads them, whatever labels they have left out. Raises DataError."""
        self._check_fitted()
        return as_learned(self.encoder_, examples_of(data, self._layout(data), labelled=False))

    def _layout(self, data: Any) -> ClassifierOptions:
        """Return the options that data is read by; standard input holds what was learned from."""
        if not is_standard_input(data):
            return self.options_
        kind = "series" if isinstance(self.encoder_, SeriesEncoder) else "text"
        return msgspec.structs.replace(self.options_, kind=kind)

    def log_probabilities(self, examples: Examples, progress: Callable[[float], None] = lambda done: None) -> Array:
        """Return log-probabilities [S, K]; where several classes may apply, of not and of applying [S, K, 2]."""
        return together(self._parts(examples, progress), self.mixture_)

    def _parts(self, examples: Examples, progress: Callable[[float], None] = lambda done: None) -> list[Array]:
        """Return the log-probabilities of the network, and of the linear part where there is one."""
        found = [of_scores(self._scores(examples, progress), self._classes)]
        if self.linear_ is not None:
            p = self.linear_.probabilities(linear_inputs(examples))
            with np.errstate(divide="ignore"):
                found.append(np.log(np.stack([1 - p, p], axis=-1) if self._classes.several else p))
        return found

    def _scores(self, examples: Examples, progress: Callable[[float], None]) -> Array:
        """Return the network's scores [S, K], float64."""
        runtime = self.label_runtime
        sequences = shortened(encoded(self.encoder_, examples), self.options_.max_length)
        scores, done = np.empty((len(examples), len(self._classes))), 0
        for some in sorted_batches(sequences.lengths, BATCH, MOST_STEPS):
            scores[some] = runtime.scores(sequences.take(some))
            done += len(some)
            progress(done / len(examples))
        return scores

    def evaluate(
        self,
        X: Any,
        y: Any = None,
        train: Any = None,
        *,
        baselines: bool = True,
        progress: Callable[[float], None] = lambda done: None,
    ) -> ClassifierEvaluation:
        """Say how well labelled sequences are told apart, beside baselines that learn from training examples.

        X, y: as for `fit`. train: the training examples, or a pair of sequences and labels; the baselines learn from
        them, and without them there are none.

        Raises DataError as `fit` does.
        """
        self._check_fitted()
        examples = as_learned(self.encoder_, self._labelled(X, y, self._layout(X)))
        learned = self._labelled_if_any(train if baselines else None, self.options_)
        if learned is not None:
            learned = as_learned(self.encoder_, learned)
        log_p = self.log_probabilities(examples, progress)
        return evaluated(self._classes, examples, log_p, learned, self.options_.class_weights)

    # ---- the file

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to one file, atomically. Raises OSError when it cannot be written."""
        self._check_fitted()
        document = Document(
            versions=self.versions_,
            options=self.options_,
            encoder=self.encoder_,
            classes=self._classes,
            architecture=self.architecture_.to_data(),
            weights=self.mixture_,
            linear=kind_of_linear(self.linear_),
            data=self.data_,
            history=self.history_,
            metrics=self.metrics_,
        )
        tensors = {f"network.{name}": array for name, array in self.weights_.items()}
        if self.linear_ is not None:
            tensors |= {f"linear.{name}": array for name, array in self.linear_.tensors().items()}
        model_file.write(path, TASK, document, tensors)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str], plain: dict[str, Any], tensors: model_file.Tensors) -> Classifier:
        """Build a classifier from what `model_file.read` returned, checking everything. Raises FileFormatError."""
        document = model_file.decode(path, plain, Document)
        architecture = check_document(path, document)
        weights = network_of(path, tensors, architecture)
        classifier = cls._opened(document, architecture, weights)
        classifier.encoder_, classifier._classes = document.encoder, document.classes
        classifier.linear_, classifier.mixture_ = linear_of(path, tensors, document), document.weights
        return classifier

    def summary(self) -> Mapping[str, Any]:
        """Return what `ostinato info` tells, as plain data."""
        sizes, classes = self.architecture_, self._classes
        return {
            "task": TASK,
            "cell": {"name": sizes.cell.name, "doc": sizes.cell.doc, "program": str(sizes.cell.program)},
            "classes": f"{len(classes)}{', any number of them at once' if classes.several else ''}: "
            + ", ".join(classes.names),
            "reads": _reads(self.encoder_),
            "sizes": {
                "hidden_size": sizes.hidden_size,
                "num_layers": sizes.num_layers,
                "directions": 1 + sizes.bidirectional,
                "pooling": " ".join(sizes.poolings),
                "weights": sum(array.size for array in self.weights_.values()),
            },
            "matrices": kind_of_matrices(self.weights_),
            "mixture": dict(zip(("network", "linear"), self.mixture_, strict=False)),
            "data": msgspec.to_builtins(self.data_),
            "metrics": self.metrics_,
            "options": msgspec.to_builtins(self.options_),
            "versions": self.versions_,
        }


def _reads(encoder: Encoder) -> str:
    kind = str(type(encoder).__struct_config__.tag)
    if isinstance(encoder, SpellingEncoder):
        return f"{encoder.words.size:,} words and {encoder.characters.size:,} characters"
    return f"{encoder.size:,} {'numbers a step' if kind == 'series' else kind}"
