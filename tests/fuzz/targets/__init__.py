"""What is fuzzed: each target takes bytes and must stand them."""

from __future__ import annotations

from pathlib import Path

from . import foreign, labelled, models, tables, tasks
from .common import Target

FINDS = Path(__file__).parents[1] / "finds"

TARGETS: dict[str, Target] = {
    "model_file": Target(models.model_file_as_it_is, models.files),
    "document": Target(models.model_file_with_digest, models.documents),
    "snapshot": Target(models.snapshot, models.snapshots),
    "forecaster": Target(tasks.forecaster, lambda: tasks.documents_in(tasks.forecasters())),
    "classifier": Target(tasks.classifier, lambda: tasks.documents_in(tasks.classifiers())),
    "tagger": Target(tasks.tagger, lambda: tasks.documents_in(tasks.taggers())),
    "onnx": Target(foreign.onnx, foreign.onnx_files),
    "torch": Target(foreign.torch, foreign.torch_files),
    "description": Target(foreign.description, foreign.descriptions),
    "keras_config": Target(foreign.keras_config, foreign.keras_configs),
    "keras_child": Target(foreign.child(".keras"), lambda: foreign.keras_files()[:1], in_child=True),
    "hdf5_child": Target(foreign.child(".weights.h5"), lambda: foreign.keras_files()[1:], in_child=True),
    "onnx_child": Target(foreign.child(".onnx"), foreign.onnx_files, in_child=True),
    "pickle_child": Target(foreign.child(".pt"), foreign.torch_pickles, in_child=True),
    "delimited": Target(tables.table(".csv"), tables.delimited_files),
    "monash": Target(tables.table(".tsf"), tables.monash_files),
    "texts": Target(labelled.texts, labelled.text_files),
    "folder": Target(labelled.folder, labelled.archives),
    "vectors": Target(labelled.vectors, labelled.vector_files),
    "uea": Target(labelled.series(".ts"), labelled.uea_files),
    "npz": Target(labelled.npz, labelled.npz_files),
    "long_table": Target(labelled.series(".csv"), labelled.long_tables),
    "words": Target(labelled.words, labelled.word_files),
    "parquet_child": Target(labelled.parquet, labelled.parquet_files, in_child=True),
}
