"""What is fuzzed: each target takes bytes and must stand them."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import lzma
import os
import tarfile
import tempfile
import traceback
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import polars as pl

import ostinato
from ostinato import cells, model_file
from ostinato.architecture import (
    ActivationArchitecture,
    LastArchitecture,
    LinearArchitecture,
    ModelArchitecture,
    ParallelArchitecture,
    RecurrentArchitecture,
)
from ostinato.data.conll import TagLayout
from ostinato.data.labelled import series_examples, tagged_sentences, text_examples
from ostinato.data.layout import Layout, panel_of
from ostinato.data.text_tables import TextLayout
from ostinato.data.vectors import read_vectors
from ostinato.errors import OstinatoError
from ostinato.exchange.formats import read_file
from ostinato.exchange.reading import read_foreign

FINDS = Path(__file__).parent / "finds"
OURS = (os.path.dirname(ostinato.__file__), os.path.dirname(os.path.dirname(__file__)))
MOST_WIDE = 4096
"""A model that reads more features than this is loaded, but not run."""


class Target(NamedTuple):
    """run: takes bytes. seeds: files to begin with. in_child: whether each run is a process, hence slow."""

    run: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]
    in_child: bool = False


@contextmanager
def stood() -> Iterator[None]:
    """Let errors of Ostinato's own pass, and what a library raises within itself, of which a reader's process tells."""
    try:
        yield
    except (OstinatoError, MemoryError):
        pass
    except Exception as error:
        innermost = traceback.extract_tb(error.__traceback__)[-1].filename
        if innermost.startswith(OURS):
            raise


@contextmanager
def file_of(content: bytes, suffix: str) -> Iterator[Path]:
    """Give a file that holds some bytes."""
    folder = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(dir=folder) as name:
        path = Path(name) / f"file{suffix}"
        path.write_bytes(content)
        yield path


# ---- models to begin with


@cache
def networks() -> tuple[ostinato.Network, ...]:
    """Small networks of every kind of part."""
    both = ParallelArchitecture(
        [
            [RecurrentArchitecture(cells.gru, 2, 2), LastArchitecture(2)],
            [RecurrentArchitecture(cells.elman, 2, 2, reverse=True), LastArchitecture(2, reverse=True)],
        ]
    )
    plain = [
        RecurrentArchitecture(cells.lstm, 2, 3, 2, learned_initial_state=True),
        LinearArchitecture(3, 2),
        ActivationArchitecture(2, "elu", 0.5),
    ]
    made = []
    for parts in (plain, [both, LinearArchitecture(4, 2)]):
        architecture = ModelArchitecture(2, parts)
        random = np.random.default_rng(0)
        shapes = architecture.weight_shapes()
        made.append(
            ostinato.Network(architecture, {n: random.normal(size=s).astype(np.float32) for n, s in shapes.items()})
        )
    return (*made, made[0].stored_as("int8"), made[0].stored_as("bfloat16"))


def saved(network: ostinato.Network) -> bytes:
    """Return a network's file."""
    with file_of(b"", ".safetensors") as path:
        network.save(path)
        return path.read_bytes()


# ---- the model file


def model_file_as_it_is(content: bytes) -> None:
    """Bytes that are taken for a model file."""
    with file_of(content, ".safetensors") as path, stood():
        run(ostinato.load(path))


def model_file_with_digest(content: bytes) -> None:
    """Bytes that are taken for the document of a model file, whose tensors and digest are in order."""
    network = networks()[content[0] % 4 if content else 0]
    try:
        document = msgspec.json.decode(content[1:], type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return
    kind = document.pop("kind", "network")
    document.pop("format", None)
    if not isinstance(kind, str):
        return
    with file_of(b"", ".safetensors") as path, stood():
        try:
            model_file.write(path, kind, document, network.weights_)
        except (UnicodeError, ValueError):
            return
        run(ostinato.load(path))


def run(model: object) -> None:
    """Run what was loaded, where that is a small thing."""
    assert isinstance(model, ostinato.Network | ostinato.LanguageModel)
    architecture = model.as_chain()[0]
    if architecture.input_size > MOST_WIDE:
        return
    x = np.zeros((2, 1), np.int64) if architecture.embedding else np.zeros((2, 1, architecture.input_size))
    with np.errstate(all="ignore"):
        model.run(x)
        model.summary()


def documents() -> list[bytes]:
    """The documents of small networks."""
    found = []
    for index, network in enumerate(networks()):
        with file_of(saved(network), ".safetensors") as path:
            found.append(bytes([index]) + msgspec.json.encode(model_file.read(path)[0]))
    return found


# ---- the files of forecasters, classifiers and taggers


class Fitted(NamedTuple):
    """A model's document and tensors, and data that it can be asked about."""

    document: dict[str, object]
    tensors: dict[str, object]
    data: object


def fitted(model: ostinato.Forecaster | ostinato.Classifier | ostinato.Tagger, data: object) -> Fitted:
    """Return what a model's file holds, and data that it can be asked about."""
    with file_of(b"", ".safetensors") as path:
        model.save(path)
        return Fitted(*model_file.read(path), data)


def document_of(content: bytes, made: Sequence[Fitted], use: Callable[[Any, object], None]) -> None:
    """Take bytes for the document of a model, whose tensors and digest are in order; use what opens."""
    model = made[content[0] % len(made) if content else 0]
    try:
        document = msgspec.json.decode(content[1:], type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    for name in ("kind", "format"):
        document.pop(name, None)
    with file_of(b"", ".safetensors") as path:
        try:
            model_file.write(path, str(model.document["kind"]), document, model.tensors)
        except (UnicodeError, ValueError, TypeError):
            return
        with suppress(OstinatoError), np.errstate(all="ignore"):
            use(ostinato.load(path), model.data)


def documents_in(made: Sequence[Fitted]) -> list[bytes]:
    """The documents of models, each after its number."""
    return [bytes([index]) + msgspec.json.encode(model.document) for index, model in enumerate(made)]


MOST_WINDOW_SEGMENTS = 2**12
"""A forecaster with more steps of its recurrence is loaded, but not run: that takes long, though little memory."""


@cache
def forecasters() -> tuple[Fitted, ...]:
    """Small forecasters: of arrays with a linear part, step by step, of every role of columns, and of many series."""
    from tests.small_series import SIZES, load, shops

    values = np.sin(np.arange(60.0))
    columns = load(64)
    for name in ("load", "wind"):
        columns[name][60:] = np.nan
    table, many = pl.DataFrame(columns), pl.DataFrame(shops((20, 12)))
    roles = {"target": ("load", "wind"), "known": ("price",), "past": ("heat", "day"), "time_column": "when"}
    made: list[tuple[object, dict[str, object]]] = [
        (np.stack([values, values**2], axis=1), {"channels": "mixed", "quantiles": (0.5, 0.9)}),
        ([values, values[:30]], {"decoder": "stepwise", "cell": "elman", "likelihood": "student-t"}),
        (table.with_columns(pl.col("load", "wind").fill_nan(None)), roles),
        (many, {"static": ("town",), "horizon": 2, "lookback": 4}),
    ]
    return tuple(fitted(ostinato.Forecaster(**(SIZES | options)).fit(data, quiet=True), data) for data, options in made)


def forecaster(content: bytes) -> None:
    """Bytes that are taken for the document of a forecaster's file, whose tensors and digest are in order."""

    def use(model: ostinato.Forecaster, data: object) -> None:
        model.summary()
        sizes = model.architecture_
        if sizes.past_segments + sizes.future_segments <= MOST_WINDOW_SEGMENTS:
            model.predict(data)
            model.evaluate(data, windows=1)
            model.sample(data, paths=2)

    document_of(content, forecasters(), use)


@cache
def classifiers() -> tuple[Fitted, ...]:
    """Small classifiers: of words, of spelled words, of characters, of series, and of several classes at once."""
    from tests.small_labels import SIZES, names, reviews, topics, waves

    made: list[tuple[tuple[Any, Any], dict[str, object]]] = [
        (reviews(20), {"pooling": ("attention", "last")}),
        (reviews(20), {"units": "spellings", "linear": "never"}),
        (names(20), {"bidirectional": False, "pooling": ("max",)}),
        (waves(20), {"cell": "lru_block"}),
        (topics(30), {"vocabulary": 9}),
    ]
    return tuple(
        fitted(ostinato.Classifier(**(SIZES | {"steps": 1} | options)).fit(*data, quiet=True), data[0][:3])
        for data, options in made
    )


def classifier(content: bytes) -> None:
    """Bytes that are taken for the document of a classifier's file, whose tensors and digest are in order."""

    def use(model: ostinato.Classifier, data: object) -> None:
        model.summary()
        model.metadata()
        model.predict(data)
        model.evaluate(data, ["a", "b", "a"])

    document_of(content, classifiers(), use)


@cache
def taggers() -> tuple[Fitted, ...]:
    """Small taggers: of entities by paths, and of parts of speech word by word."""
    from tests.small_sentences import SIZES, entities, speech

    made: list[tuple[Any, dict[str, object]]] = [
        (entities(20), {}),
        (speech(20), {"paths": False, "features": False, "cell": "gru", "num_layers": 2}),
    ]
    return tuple(
        fitted(ostinato.Tagger(**(SIZES | {"steps": 1} | options)).fit(*data, quiet=True), [*data[0][:3], []])
        for data, options in made
    )


def tagger(content: bytes) -> None:
    """Bytes that are taken for the document of a tagger's file, whose tensors and digest are in order."""

    def use(model: ostinato.Tagger, data: Any) -> None:
        model.summary()
        model.predict_proba(data)
        model.evaluate(data, [["O"] * len(sentence) for sentence in data])

    document_of(content, taggers(), use)


# ---- the snapshot


def snapshot(content: bytes) -> None:
    """Bytes that are taken for a snapshot; and with the digest that they would need."""
    for whole in (content, content + hashlib.sha256(content).digest()):
        stream = networks()[0].stream()
        before = stream.snapshot()
        try:
            stream.restore(whole)
        except OstinatoError:
            assert stream.snapshot() == before, "what was refused has changed the stream"
        else:
            with np.errstate(all="ignore"):
                stream.push(np.zeros(2))


def snapshots() -> list[bytes]:
    """Snapshots, with their digest and without."""
    stream = networks()[0].stream()
    fresh = stream.snapshot()
    stream.push(np.ones(2))
    return [fresh, fresh[:-32], stream.snapshot(), stream.snapshot()[:-32]]


# ---- foreign files


def onnx(content: bytes) -> None:
    """Bytes that are taken for an ONNX file."""
    with file_of(content, ".onnx") as path, stood():
        read_file(path)


def onnx_files() -> list[bytes]:
    """Networks as ONNX files."""
    found = []
    for network in networks()[:2]:
        with file_of(b"", ".onnx") as path:
            network.export_onnx(path)
            found.append(path.read_bytes())
    return found


def torch(content: bytes) -> None:
    """Bytes that are taken for a state dict in a safetensors file."""
    with file_of(content, ".safetensors") as path, stood():
        read_file(path)
    with file_of(content, ".safetensors") as path, stood():
        read_file(path, "lstm linear")


def torch_files() -> list[bytes]:
    """State dicts in safetensors files."""
    import safetensors.numpy

    random = np.random.default_rng(0)
    sizes = {"rnn.weight_ih_l0": (8, 3), "rnn.weight_hh_l0": (8, 2), "rnn.bias_ih_l0": (8,), "rnn.bias_hh_l0": (8,)}
    sizes |= {"head.weight": (1, 2), "head.bias": (1,)}
    tensors = {name: random.normal(size=size).astype(np.float32) for name, size in sizes.items()}
    halves = {name: tensor.astype(np.float16) for name, tensor in tensors.items()}
    return [safetensors.numpy.save(tensors), safetensors.numpy.save(halves)]


def description(content: bytes) -> None:
    """Bytes that are taken for the description of a state dict."""
    with file_of(torch_files()[0], ".safetensors") as path, stood():
        read_file(path, content.decode(errors="replace"))


def descriptions() -> list[bytes]:
    """Descriptions, right and wrong."""
    return [b"lstm linear", b"lstm=rnn last linear=head softmax", b"rnn:relu norm:eps=1e-6 leaky_relu:0.2 linear"]


def keras_config(content: bytes) -> None:
    """Bytes that are taken for the configuration of a Keras model, whose weights are in order."""
    with zipfile.ZipFile(io.BytesIO(keras_files()[0])) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with file_of(_zipped(members | {"config.json": content}), ".keras") as path, stood():
        read_file(path)


def keras_configs() -> list[bytes]:
    """The configuration of a small Keras model."""
    with zipfile.ZipFile(io.BytesIO(keras_files()[0])) as archive:
        return [archive.read("config.json")]


@cache
def keras_files() -> list[bytes]:
    """A small Keras model as the two files that Keras writes."""
    import h5py

    random = np.random.default_rng(0)
    layers = [
        ("LSTM", "lstm", {"units": 2, "return_sequences": True}, "layers/lstm/cell/vars", [(3, 8), (2, 8), (8,)]),
        ("Dense", "dense", {"units": 1, "activation": "sigmoid"}, "layers/dense/vars", [(2, 1), (1,)]),
    ]
    weights = io.BytesIO()
    with h5py.File(weights, "w") as file:
        for _, _, _, group, shapes in layers:
            for index, shape in enumerate(shapes):
                file.create_dataset(f"{group}/{index}", data=random.normal(size=shape).astype(np.float32))
    described = [
        {"module": "keras.layers", "class_name": kind, "config": {"name": name, "dtype": "float32", **options}}
        for kind, name, options, _, _ in layers
    ]
    begin = {"batch_shape": [None, None, 3], "dtype": "float32", "name": "input_layer"}
    described.insert(0, {"module": "keras.layers", "class_name": "InputLayer", "config": begin})
    config = {"module": "keras", "class_name": "Sequential", "config": {"name": "sequential", "layers": described}}
    members = {
        "metadata.json": json.dumps({"keras_version": "3.15.1"}).encode(),
        "config.json": json.dumps(config).encode(),
        "model.weights.h5": weights.getvalue(),
    }
    return [_zipped(members), weights.getvalue()]


def _zipped(members: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return target.getvalue()


def child(suffix: str) -> Callable[[bytes], None]:
    """Return a target that reads a file as users do: in a process of its own, which may die."""

    def target(content: bytes) -> None:
        with file_of(content, suffix) as path, suppress(OstinatoError):
            read_foreign(path)

    return target


def torch_pickles() -> list[bytes]:
    """State dicts as torch writes them."""
    import torch as library

    tensors = {"rnn.weight_ih_l0": (8, 3), "rnn.weight_hh_l0": (8, 2), "rnn.bias_ih_l0": (8,), "rnn.bias_hh_l0": (8,)}
    content = io.BytesIO()
    library.save({name: library.ones(size) for name, size in tensors.items()}, content)
    return [content.getvalue()]


def table(suffix: str) -> Callable[[bytes], None]:
    """Read a table of series, and put it in order."""

    def run(content: bytes) -> None:
        with file_of(content, suffix) as path, stood():
            panel_of(path, Layout(irregular=len(content) % 2 == 0, rows_are_series=len(content) % 7 == 0))

    return run


def delimited_files() -> list[bytes]:
    """Tables as text: long and wide, with texts, missing values and times of several shapes."""
    return [
        b"unique_id,ds,y,kind\na,2020-01-01,1.5,u\na,2020-01-02,NA,v\nb,2020-01-01,3,u\n",
        b"year;month;day;load\n2020;2;28;1,5\n2020;2;29;2,5\n",
        b"1/2/2020 0:05\t1\t-2e3\n1/2/2020 0:10\t2\t\n",
    ]


def monash_files() -> list[bytes]:
    """A file of the Monash archive, in small."""
    header = b"@attribute series_name string\n@attribute start_timestamp date\n@frequency monthly\n@horizon 2\n@data\n"
    return [header + b"T1:2012-01-31 00-00-00:1,2,?\nT2:2013-01-01 12-00-00:4.5,6\n"]


# ---- labelled sequences


def texts(content: bytes) -> None:
    """Read a table of texts, of every kind in turn; Parquet has a process of its own, and is another target's."""
    if content.startswith(b"PAR1"):
        return
    suffix = (".csv", ".tsv", ".jsonl", "")[len(content) % 4]
    layout = TextLayout(label=2 if len(content) % 3 else None, header=(None, True, False)[len(content) % 5 % 3])
    with file_of(content, suffix) as path, suppress(OstinatoError):
        text_examples(path, layout)


def text_files() -> list[bytes]:
    """Tables of texts: with quotes, with tabs, and JSON lines."""
    return [
        b'text,label\n"a ""good"" film, really",pos\n"two\nlines",neg\n',
        b'0\t7\t"It" was <br /> fine\n1\t8\tbad\n',
        b'{"text": "a\\u00e9", "label": ["x", 1.50]}\n\n{"text": null, "label": true}\n',
    ]


def folder(content: bytes) -> None:
    """Bytes that are taken for an archive: as they are, compressed well, and as if they were compressed."""
    for suffix, packed in ((".tar", content), (".tar.gz", gzip.compress(content, 1)), (".tar.xz", content)):
        with file_of(packed, suffix) as path, suppress(OstinatoError):
            text_examples(path, labelled=(None, True, False)[len(content) % 3])


def archives() -> list[bytes]:
    """Archives of a folder a class, with members of every kind, in the forms that there are."""
    found = []
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT):
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w", format=form) as archive:
            for name, kind, text in (
                ("all/train/pos/1.txt", tarfile.REGTYPE, b"a"),
                ("all/train/neg/" + "n" * 99, tarfile.REGTYPE, "é".encode() * 300),
                ("all/train/neg", tarfile.DIRTYPE, b""),
                ("all/train/neg/link", tarfile.SYMTYPE, b""),
            ):
                member = tarfile.TarInfo(name)
                member.type, member.size, member.linkname = kind, len(text), "1.txt"
                archive.addfile(member, io.BytesIO(text))
        found.append(content.getvalue())
    return [*found, lzma.compress(found[0])]


def parquet(content: bytes) -> None:
    """Read texts from what is taken for Parquet, in a process of its own."""
    with file_of(content, ".parquet") as path, suppress(OstinatoError):
        text_examples(path)


def parquet_files() -> list[bytes]:
    """A table of texts, with a list of labels for each."""
    content = io.BytesIO()
    pl.DataFrame({"text": ["a", None, "é"], "label": [["x"], [], ["x", "y"]]}).write_parquet(content)
    return [content.getvalue()]


def vectors(content: bytes) -> None:
    """Read vectors of words, some of which the files to begin with have."""
    with file_of(content, ".txt") as path, suppress(OstinatoError):
        read_vectors(path, ["the", "New York", "é", "nowhere"], lower=len(content) % 2 == 0)


def vector_files() -> list[bytes]:
    """Vectors with word2vec's header and without one."""
    return ["3 2\nthe 1 -2e-3\nNew York .5 6\nÉ 1 2\n".encode(), b"the\t1\t2\t3\nof 1 2 3\n"]


def series(suffix: str) -> Callable[[bytes], None]:
    """Read series with labels."""

    def run(content: bytes) -> None:
        with file_of(content, suffix) as path, suppress(OstinatoError):
            series_examples(path, labelled=(None, True, False)[len(content) % 3])

    return run


def uea_files() -> list[bytes]:
    """A file of the UEA archive, in small."""
    return [b"#c\n@dimensions 2\n@serieslength 3\n@classLabel true a b\n@data\n1,?,3:4,5,-6e1:a\n1,2:3,4: b\n"]


def npz(content: bytes) -> None:
    """Bytes that are taken for an `.npz`; and for each of the arrays in one, whose sums of digits are then in order."""
    series(".npz")(content)
    arrays = {"X": np.ones((2, 3)), "y": np.array(["a", "b"]), "lengths": np.array([3, 1])}
    for name in arrays:
        members = {f"{other}.npy": content if other == name else _npy(array) for other, array in arrays.items()}
        series(".npz")(_zipped(members))


def npz_files() -> list[bytes]:
    """Arrays of series, alone and together."""
    together = io.BytesIO()
    np.savez_compressed(together, X=np.arange(12.0).reshape(2, 3, 2), y=np.array(["a", "b"]))
    return [together.getvalue(), _npy(np.arange(6.0).reshape(2, 3)), _npy(np.array([1, 3])), _npy(np.array(["a", "b"]))]


def _npy(array: np.ndarray) -> bytes:
    content = io.BytesIO()
    np.lib.format.write_array(content, array, allow_pickle=False)
    return content.getvalue()


def words(content: bytes) -> None:
    """Read tagged sentences, in columns and as CoNLL-U."""
    for kind in ("columns", "conllu"):
        with file_of(content, ".txt") as path, suppress(OstinatoError):
            tagged_sentences(path, TagLayout(format=kind))


def word_files() -> list[bytes]:
    """Tagged sentences, in columns and as CoNLL-U."""
    rest = b"\t_\t_\t_\t_\t_\t_\n"
    ranges = (
        b"# sent_id = s\n1-2\tab\t_\t_" + rest + b"1\ta\ta\tX" + rest + b"1.1\tz\t_\t_" + rest + b"2\tb\tb\tY" + rest
    )
    return [b"-DOCSTART- O\n\na b B-x\nc d O\n\ne f I-x\n", ranges]


TARGETS: dict[str, Target] = {
    "model_file": Target(model_file_as_it_is, lambda: [saved(network) for network in networks()]),
    "document": Target(model_file_with_digest, documents),
    "forecaster": Target(forecaster, lambda: documents_in(forecasters())),
    "classifier": Target(classifier, lambda: documents_in(classifiers())),
    "tagger": Target(tagger, lambda: documents_in(taggers())),
    "snapshot": Target(snapshot, snapshots),
    "onnx": Target(onnx, onnx_files),
    "torch": Target(torch, torch_files),
    "description": Target(description, descriptions),
    "keras_config": Target(keras_config, keras_configs),
    "keras_child": Target(child(".keras"), lambda: keras_files()[:1], in_child=True),
    "hdf5_child": Target(child(".weights.h5"), lambda: keras_files()[1:], in_child=True),
    "delimited": Target(table(".csv"), delimited_files),
    "monash": Target(table(".tsf"), monash_files),
    "texts": Target(texts, text_files),
    "folder": Target(folder, archives),
    "vectors": Target(vectors, vector_files),
    "uea": Target(series(".ts"), uea_files),
    "npz": Target(npz, npz_files),
    "long_table": Target(series(".csv"), lambda: [b"series,time,x,y,label\na,2,1,?,u\nb,1,2,3,v\na,1,4,5,u\n"]),
    "words": Target(words, word_files),
    "onnx_child": Target(child(".onnx"), onnx_files, in_child=True),
    "parquet_child": Target(parquet, parquet_files, in_child=True),
    "pickle_child": Target(child(".pt"), torch_pickles, in_child=True),
}
