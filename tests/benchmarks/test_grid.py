import numpy as np
import pytest
from benchmarks.grid import Point
from benchmarks.problem import PUSHES, Problem, cells_with_full_matrices, live_rows, operations

from benchmarks import grid


@pytest.mark.parametrize(("cell", "gates"), [("elman", 1), ("gru", 3), ("lstm", 4)])
def test_a_multiply_add_counts_as_two_and_training_three_times(cell, gates):
    forward = 2 * 6 * 5 * gates * 8 * (7 + 8)
    assert operations(Point("forward", cell, 6, 5, 7, 8)) == forward
    assert operations(Point("training", cell, 6, 5, 7, 8)) == 3 * forward


def test_only_live_rows_count():
    point = Point("ragged-forward", "gru", 6, 40, 7, 8)
    lengths = Problem.of(point).lengths
    assert lengths.min() >= 10
    assert lengths.max() <= 40
    assert live_rows(point) == lengths.sum() < 6 * 40
    assert operations(point) == 2 * lengths.sum() * 3 * 8 * 15


def test_a_call_of_a_live_group_is_one_step_of_each_stream():
    point = Point("pool", "lstm", 6, 1, 7, 8)
    assert Problem.of(point).x.shape == (PUSHES, 6, 7)
    assert live_rows(point) == 6
    assert operations(point) == 2 * 6 * 4 * 8 * 15
    assert not point.is_training
    assert operations(Point("generation", "lstm", 1, 20, 7, 8)) is None


def test_a_projection_counts():
    point = Point("forward", "projected_lstm", 1, 1, 6, 8)
    assert operations(point) == 2 * (4 * 8 * (6 + 4) + 4 * 8)


def test_every_draw_of_a_point_is_the_same_and_other_points_have_others():
    point = Point("training", "gru", 2, 3, 4, 5)
    one, again, other = Problem.of(point), Problem.of(point), Problem.of(Point("forward", "gru", 2, 3, 4, 5))
    assert all(np.array_equal(one.weights[name], again.weights[name]) for name in one.weights)
    assert np.array_equal(one.x, again.x)
    assert not np.array_equal(one.x, other.x)
    assert other.d_y is None


def test_the_grid_is_that_of_the_targets():
    points = grid.points(["gru", "lstm"])
    groups = [point.group for point in points]
    assert {group: groups.count(group) for group in grid.GROUPS} == {
        "training": 18,
        "forward": 18,
        "ragged-training": 3,
        "ragged-forward": 3,
        "step": 9,
        "push": 9,
        "pool": 1,
        "generation": 1,
        "cells": 2,
        "whole": 2,
        "alone": 2,
        "text": 1,
    }
    assert len({point.name for point in points}) == len(points)


def test_points_are_chosen_by_part_or_pattern_of_the_name_and_by_cell():
    points = grid.points(["gru"])
    names = [point.name for point in grid.chosen(points, ["step/*-H128"], ["gru"])]
    assert names == ["step/gru/B1-T1-D128-H128"]
    assert {point.group for point in grid.chosen(points, ["ragged"])} == {"ragged-training", "ragged-forward"}
    assert grid.chosen(points) == points


def test_linear_and_diagonal_cells_have_no_full_matrices():
    cells = cells_with_full_matrices()
    assert {"elman", "gru", "lstm"} <= set(cells)
    assert not {"min_gru", "rg_lru", "lru", "indrnn"} & set(cells)
