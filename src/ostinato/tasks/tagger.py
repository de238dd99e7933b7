"""`Tagger`: learns a tag for each word of a sentence, and gives it to other sentences, with a probability."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from .. import model_file, stored
from ..data.examples import TaggedSentences
from ..data.labelled import tagged_sentences
from ..data.tag_sequences import SentenceEncoder
from ..evaluate.mixture import fit_weights, mixed
from ..runtime.tags import TagRuntime
from ..tag_architecture import TagArchitecture
from .label_task import LabelTask
from .tag_choice import LEAST_F1, OUTSIDE, best_discount, chosen, has_entities, log_probabilities
from .tagger_evaluation import TaggerEvaluation, evaluated
from .tagger_file import Document, check_document, check_weights
from .tagger_fitting import prepare
from .tagger_options import TaggerOptions, layout_of

if TYPE_CHECKING:
    from ..training.session import Session

Array = NDArray[Any]
TASK = "tag"


class Tagger(LabelTask):
    """A model that tags the words of sentences: parts of speech, names of people and places, or any other tags.

    options: the fields of `TaggerOptions`, such as ``cell``, ``hidden_size``, ``time="10m"``, ``seed``; those left out
    are chosen from the sentences and the stated time.

        tagger = Tagger(time="2m").fit(sentences, tags)     # lists of lists of words, and of tags
        tagger.predict([["the", "dog", "barks"]])           # [["DET", "NOUN", "VERB"]]
        tagger.predict_proba([["the", "dog", "barks"]])     # a list of [T, O], a column for each of classes_
        tagger.save("pos.safetensors")

    A path, or several, is read as `ostinato fit tag` does.

    A word's tag is scored by two parts, learned together: a bidirectional recurrent network over the sentence, which
    reads each word and its characters, and a linear one that looks at the word, its ends and shape, and those of its
    neighbours (`data.word_features`). A conditional random field knows which tag follows which; where tags mark
    entities, what their scheme forbids has no probability. Tags are chosen so that their probabilities, word by word,
    have the largest product that the scheme allows.

    Entities are rare, so a word is mostly likeliest to be in none. What is taken off log p of O before tags are chosen
    (`discount_`) is what gave the held-out sentences the best F1 of entities; probabilities stay as they are.

    After `fit` or `ostinato.load`: ``classes_`` [O], ``options_`` (with every size set), ``encoder_``,
    ``architecture_``, ``weights_``, ``scheme_``, ``sharpness_``, ``discount_``, ``history_``, ``metrics_`` (on the
    held-out sentences). Only `fit` needs torch.

    Raises OptionError, in `fit`, for an unknown option, or one that is out of range.
    """

    task = TASK
    parameters = TaggerOptions
    stages = (TASK,)
    learner, learns_from = "tagger", "sentences, tags"
    options_: TaggerOptions
    encoder_: SentenceEncoder
    architecture_: TagArchitecture
    weights_: dict[str, Any]
    scheme_: str | None
    sharpness_: float
    discount_: float

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import InputTags, Tags, TargetTags

        return Tags(
            estimator_type=None,
            target_tags=TargetTags(required=True, one_d_labels=False, two_d_labels=False),
            input_tags=InputTags(one_d_array=False, two_d_array=False, string=True),
        )

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
    ) -> Tagger:
        """Learn from tagged sentences and return self.

        X: the sentences, a list of words each; or a file, or several. y: their tags, a list each, where X does not
        bring them. valid: what the best point is chosen by: as X where that brings its tags, else a pair of sentences
        and tags; by default a part of X. checkpoint, resume, quiet, log: as `LanguageModel.fit` has them.

        Raises DataError (the sentences cannot be used), ShapeError (not as many tags), OptionError, TrainingError,
        Interrupted, MissingExtraError.
        """
        return self._fit(X, y, valid, checkpoint, resume, quiet, log)

    def _labelled(self, data: Any, labels: Any, options: TaggerOptions) -> TaggedSentences:
        return tagged_sentences(data, layout_of(options), labels, labelled=True)

    def _learn(self, examples: TaggedSentences, valid: TaggedSentences | None, session: Session[TaggerOptions]) -> None:
        from ..training import tagger as training

        found = prepare(examples, valid, session.options, session.cell, session.report)
        session.check_data(found.material.digest, "other sentences")
        outcome = training.fit(found, session)
        self._take(found, outcome)
        self._tags, self.scheme_ = found.tags, found.scheme.name
        self._calibrate(found.examples.select(found.material.valid), session.report)

    def _calibrate(self, held_out: TaggedSentences, report: Any) -> None:
        """Choose how sure the model is, and what is taken off log p of O, by the sentences held out."""
        assert held_out.tags is not None
        self.sharpness_, self.discount_ = 1.0, 0.0
        log_p = log_probabilities(self.runtime, self.encoder_.encode(held_out.words))
        truth = self._tags.numbers([tag for sentence in held_out.tags for tag in sentence]).numbers
        self.sharpness_ = fit_weights([np.concatenate(log_p)], truth)[0]
        log_p = [mixed([one], [self.sharpness_]) if len(one) else one for one in log_p]
        if self.options_.discount is not None:
            self.discount_ = self.options_.discount
        elif has_entities(self._tags.names):
            discount, f1 = best_discount(self.runtime, self._tags.names, log_p, held_out.tags)
            if f1 >= LEAST_F1:
                self.discount_ = discount
                report.say(f"tags are chosen with {discount:g} taken off log p of {OUTSIDE}: the best F1 held out")
            else:
                report.say(f"too few entities are found to choose what is taken off log p of {OUTSIDE}: F1 {f1:.3f}")
        found = evaluated(self._tags, held_out, np.concatenate(log_p), self._chosen(log_p), None)
        self.metrics_ = found.metrics

    # ---- use

    @property
    def classes_(self) -> Array:
        """The tags [O], in the order of the columns of probabilities."""
        self._check_fitted()
        return np.array(self._tags.names)

    @property
    def runtime(self) -> TagRuntime:
        """What runs the weights; made at first use."""
        return self._running(TagRuntime)

    def predict(self, X: Any) -> list[list[str]]:
        """Return a tag for each word of sentences, which are as `fit` takes them; tags of a file are not looked at."""
        return self._chosen(self._calibrated(self.read(X).words))

    def predict_proba(self, X: Any) -> list[Array]:
        """Return the probability of each tag for each word, [T, O] for each sentence."""
        return [np.exp(one) for one in self._calibrated(self.read(X).words)]

    def tagged(
        self, sentences: Sequence[Sequence[str]], progress: Callable[[float], None] = lambda done: None
    ) -> list[tuple[list[str], Array]]:
        """Return for each sentence, a list of words, its tags and the probability of each of them [T]."""
        log_p = self._calibrated(sentences, progress)
        found = []
        for one, tags in zip(log_p, self._chosen(log_p), strict=True):
            found.append((tags, np.exp(one[np.arange(len(tags)), self._tags.numbers(tags).numbers])))
        return found

    def score(self, X: Any, y: Any = None) -> float:
        """Return the accuracy: the share of words whose tag is predicted."""
        return self.evaluate(X, y).metrics["accuracy"]

    def read(self, data: Any) -> TaggedSentences:
        """Return sentences as the model reads them, whatever tags they have left out. Raises DataError."""
        self._check_fitted()
        return tagged_sentences(data, layout_of(self.options_), labelled=False)

    def evaluate(
        self,
        X: Any,
        y: Any = None,
        train: Any = None,
        *,
        progress: Callable[[float], None] = lambda done: None,
    ) -> TaggerEvaluation:
        """Say how well tagged sentences are told, beside the most frequent tag that a word has in training sentences.

        X, y: as for `fit`. train: the training sentences, or a pair of sentences and tags; without them there is no
        baseline.

        Raises DataError as `fit` does.
        """
        self._check_fitted()
        examples = self._labelled(X, y, self.options_)
        learned = self._labelled_if_any(train, self.options_)
        log_p = self._calibrated(examples.words, progress)
        return evaluated(self._tags, examples, _joined(log_p, len(self._tags)), self._chosen(log_p), learned)

    def _calibrated(
        self, sentences: Sequence[Sequence[str]], progress: Callable[[float], None] = lambda done: None
    ) -> list[Array]:
        """Return log-probabilities that mean what they say, [T, O] for each sentence."""
        found = log_probabilities(self.runtime, self.encoder_.encode(sentences), progress)
        return [mixed([one], [self.sharpness_]) if len(one) else one for one in found]

    def _chosen(self, log_p: Sequence[Array]) -> list[list[str]]:
        return chosen(self.runtime, self._tags.names, log_p, self.discount_)

    # ---- the file

    def stored_as(self, kind: str) -> Tagger:
        """Return the same tagger with its matrices in fewer bytes: ``"bfloat16"`` or ``"int8"``.

        What a CRF knows stays as it is. Raises OptionError for another kind, and for one that is stored so already.
        """
        self._check_fitted()
        smaller = copy(self)
        smaller._run_anew()
        exact = {name: weight for name, weight in self.weights_.items() if name.startswith("crf.")}
        rest = {name: weight for name, weight in self.weights_.items() if name not in exact}
        smaller.weights_ = stored.stored_as(kind, rest) | exact
        return smaller

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to one file, atomically. Raises OSError when it cannot be written."""
        self._check_fitted()
        document = Document(
            versions=self.versions_,
            options=self.options_,
            encoder=self.encoder_.spellings,
            features=self.encoder_.features,
            tags=self._tags,
            scheme=self.scheme_,
            architecture=self.architecture_.to_data(),
            sharpness=self.sharpness_,
            discount=self.discount_,
            data=self.data_,
            history=self.history_,
            metrics=self.metrics_,
        )
        model_file.write(path, TASK, document, self.weights_)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str], plain: dict[str, Any], tensors: model_file.Tensors) -> Tagger:
        """Build a tagger from what `model_file.read` returned, checking everything. Raises FileFormatError."""
        document = model_file.decode(path, plain, Document)
        architecture = check_document(path, document)
        check_weights(path, tensors, architecture)
        tagger = cls._opened(document, architecture, tensors)
        tagger.encoder_, tagger._tags = SentenceEncoder(document.encoder, document.features), document.tags
        tagger.scheme_, tagger.sharpness_, tagger.discount_ = document.scheme, document.sharpness, document.discount
        return tagger

    def summary(self) -> Mapping[str, Any]:
        """Return what `ostinato info` tells, as plain data."""
        sizes, words = self.architecture_.network, self.encoder_.spellings.words
        return {
            "task": TASK,
            "cell": {"name": sizes.cell.name, "doc": sizes.cell.doc, "program": str(sizes.cell.program)},
            "tags": f"{len(self._tags)}: {', '.join(self._tags.names)}",
            "scheme": self.scheme_ or "none",
            "reads": f"{words.size:,} words and {self.encoder_.spellings.characters.size:,} characters",
            "sizes": {
                "hidden_size": sizes.hidden_size,
                "num_layers": sizes.num_layers,
                "features": self.architecture_.buckets,
                "weights": sum(array.size for array in self.weights_.values()),
            },
            "matrices": stored.kind_of(self.weights_),
            "discount": self.discount_,
            "data": msgspec.to_builtins(self.data_),
            "metrics": self.metrics_,
            "options": msgspec.to_builtins(self.options_),
            "versions": self.versions_,
        }


def _joined(log_p: Sequence[Array], tags: int) -> Array:
    return np.concatenate([np.empty((0, tags)), *log_p])
