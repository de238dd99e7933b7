"""Small forecasters, fitted once a session; not to be changed."""

import polars as pl
import pytest

from tests.small_series import load, shops
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
