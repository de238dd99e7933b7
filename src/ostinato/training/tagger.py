"""Training a tagger's network: from tagged sentences to weights."""

from __future__ import annotations

from functools import partial

import torch

from ..data.examples import TaggedSentences
from ..data.sequences import ByLength, Numbers, sorted_batches
from ..data.tag_sequences import WordSequences
from ..nn.labels import Noise
from ..nn.tags import Tagged, TagNetwork
from ..runtime.tags import TagRuntime
from ..tag_architecture import TagArchitecture
from ..tasks.tag_choice import best_discount, has_entities, log_probabilities
from ..tasks.tagger_fitting import Prepared, Sentences
from ..tasks.tagger_options import MOST_STEPS, TaggerOptions, most_epochs
from .loop import Units, weights_of
from .planning import as_set, judging
from .session import Material, Outcome, Session, carry_out

TASK = "tag"
EVALUATED = 256
"""Sentences that are judged at a time, at most."""
TRIED = (0.0, 1.0, 2.0, 3.0, 4.0)
"""Discounts of O that an evaluation during training tries."""
AFTERWARDS = 6
"""The evaluations that the time for what follows training is worth: how sure the model is, and what it discounts."""


def fit(prepared: Prepared, session: Session[TaggerOptions]) -> Outcome:
    """Train, from the beginning or from what a checkpoint kept. Raises what `session.carry_out` does."""
    architecture, options, digest = prepared.architecture, prepared.options, prepared.material.digest
    return carry_out(TASK, session, architecture, options, digest, partial(_material, prepared))


def _material(prepared: Prepared, device: torch.device) -> Material:
    options, sentences, architecture = prepared.options, prepared.material, prepared.architecture
    network = TagNetwork(architecture, noise_of(options), prepared.scheme.legal, options.label_smoothing)
    if prepared.vectors is not None:
        network.network.start_at(prepared.vectors)
    network = network.to(device)
    train = sentences.train
    batches = ByLength(sentences.words.lengths[train], train, as_set(options.batch_size), options.seed)
    judged = prepared.examples.select(sentences.valid)
    judged_words = prepared.encoder.encode(judged.words)
    return Material(
        network,
        lambda step: tagged(sentences, batches.batch(step)),
        lambda: held_out(network, prepared, judged, judged_words),
        batches.steps_per_epoch,
        most_epochs(batches.steps_per_epoch),
        Units(batches.size, "sentences", "1 - F1" if has_entities(prepared.tags.names) else "nats"),
        told(architecture),
        f"{len(train):,} sentences",
        evaluations_after=AFTERWARDS,
        names=lambda step: [sentences.places[number] for number in batches.batch(step)],
    )


def noise_of(options: TaggerOptions) -> Noise:
    """Return what the options drop in training."""
    return Noise(
        options.word_dropout or 0.0, options.input_dropout or 0.0, options.dropout or 0.0, options.recurrent_dropout
    )


def tagged(sentences: Sentences, numbers: Numbers) -> Tagged:
    """Return some sentences, by number, as a batch."""
    return Tagged(sentences.words.take(numbers), sentences.tags.take(numbers), numbers)


def held_out(network: TagNetwork, prepared: Prepared, judged: TaggedSentences, words: WordSequences) -> float:
    """Return what the sentences to judge by say of a network: the less, the better. words: those sentences, encoded.

    It is the mean loss of a word. Where tags mark entities it is 1 - F1, at the best of some discounts, and a hundredth
    of that loss, which decides where as many are found: of rare things most are found long after the loss is least,
    since a network that has become too sure of itself has a large loss, and is as good as before once calibrated.
    """
    names, loss = prepared.tags.names, mean_loss(network, prepared.material)
    if not has_entities(names):
        return loss
    runtime = TagRuntime(prepared.architecture, weights_of(network.state_dict()))
    log_p = log_probabilities(runtime, words)
    _, f1 = best_discount(runtime, names, log_p, judged.tags or [], TRIED)
    return 1 - f1 + loss / 100


def mean_loss(network: TagNetwork, sentences: Sentences) -> float:
    """Return the mean loss of a word of the sentences to judge by."""
    total = words = 0.0
    with judging(network):
        for some in sorted_batches(sentences.words.lengths[sentences.valid], EVALUATED, MOST_STEPS):
            loss, count = network.losses(tagged(sentences, sentences.valid[some]))
            total += float(loss)
            words += count
    return total / words


def told(architecture: TagArchitecture) -> str:
    """Return what the network is, in words."""
    sizes = architecture.network
    beside = f", {architecture.buckets:,} features" if architecture.buckets else ""
    paths = ", paths by a CRF" if architecture.crf else ""
    return f"{sizes.cell.name}, {sizes.num_layers} × {sizes.hidden_size} units both ways{beside}{paths}"
