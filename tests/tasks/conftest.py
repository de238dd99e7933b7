"""Small forecasters and classifiers, fitted once a session; not to be changed."""

import polars as pl
import pytest

from tests.small_labels import names, reviews, topics, waves
from tests.small_series import load, shops
from tests.tasks import classifiers
from tests.tasks.forecasters import ROLES, fitted


@pytest.fixture(scope="session")
def wide():
    return fitted(pl.DataFrame(load()), **ROLES)


@pytest.fixture(scope="session")
def many():
    return fitted(pl.DataFrame(shops()), static=("town",))


@pytest.fixture(scope="session")
def network():
    """A recurrent network alone: with so few steps the linear forecast may be all that counts."""
    return fitted(pl.DataFrame(load()), **ROLES, linear="never")


@pytest.fixture(scope="session")
def reviewer():
    """A classifier of texts, whose units are words."""
    return classifiers.fitted(*reviews())


@pytest.fixture(scope="session")
def namer():
    """Of short texts, whose units are characters; the network alone."""
    return classifiers.fitted(*names(), linear="never")


@pytest.fixture(scope="session")
def waver():
    """Of series, of which some values are missing."""
    return classifiers.fitted(*waves())


@pytest.fixture(scope="session")
def sorter():
    """Of texts to which several classes may apply."""
    return classifiers.fitted(*topics(150))
