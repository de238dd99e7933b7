"""The Monash format: small copies of its real shapes, and every line that is none of it."""

import gzip

import numpy as np
import pytest

from ostinato.data.layout import panel_of
from ostinato.errors import DataError

HEAD = """# Dataset: electricity
# latin letters: é
@relation Electricity
@attribute series_name string
@attribute start_timestamp date
@frequency {frequency}
@horizon 8
@missing true
@equallength false
@data
"""


def write(folder, content, name="small.tsf", encoding="utf-8"):
    path = folder / name
    path.write_bytes(content.encode(encoding))
    return path


def refusal(path):
    with pytest.raises(DataError) as caught:
        panel_of(path)
    return str(caught.value).splitlines()[0]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
def test_series_with_starts_and_missing_values(tmp_path, encoding):
    content = HEAD.format(frequency="weekly") + "T1:2012-01-01 00-00-00:1,?,3\nT2:2013-06-02 12-00-00:4.5,NaN\n"
    table = panel_of(write(tmp_path, content, encoding=encoding))
    panel = table.panel
    assert panel.ids == ["T1", "T2"]
    np.testing.assert_array_equal(panel.columns["y"], [1, np.nan, 3, 4.5, np.nan])
    assert panel.times.astype("M8[h]").astype(str).tolist() == [
        "2012-01-01T00",
        "2012-01-08T00",
        "2012-01-15T00",
        "2013-06-02T12",
        "2013-06-09T12",
    ]
    assert table.remarks == [
        "2 series of 2 to 3, 5 rows, weekly, 2012-01-01 00:00 to 2013-06-09 12:00",
        "targets: y",
        "missing values: y 2 (40 %)",
        "the file asks for a horizon of 8",
    ]
    assert (table.roles.series, table.roles.time, table.roles.targets) == ("unique_id", "ds", ["y"])


@pytest.mark.parametrize(
    ("frequency", "name", "second"),
    [
        ("yearly", "yearly", "2013-01-01T00:00"),
        ("quarterly", "quarterly", "2012-04-01T00:00"),
        ("monthly", "monthly", "2012-02-01T00:00"),
        ("daily", "daily", "2012-01-02T00:00"),
        ("hourly", "hourly", "2012-01-01T01:00"),
        ("half_hourly", "30 minutes", "2012-01-01T00:30"),
        ("10_minutes", "10 minutes", "2012-01-01T00:10"),
        ("4_seconds", "4 seconds", "2012-01-01T00:00:04"),
        ("minutely", "1 minute", "2012-01-01T00:01"),
    ],
)
def test_every_frequency(tmp_path, frequency, name, second):
    panel = panel_of(write(tmp_path, HEAD.format(frequency=frequency) + "T1:2012-01-01 00-00-00:1,2,3,4\n")).panel
    assert panel.frequency.name == name
    assert panel.times[1] == np.datetime64(second)


def test_a_compressed_file_without_starts_and_with_other_attributes(tmp_path):
    content = "@attribute series_name string\n@attribute state string\n@data\nT1:NSW:1,2\nT2:VIC:3,4,5\n"
    path = tmp_path / "x.tsf.gz"
    path.write_bytes(gzip.compress(content.encode()))
    table = panel_of(path)
    assert table.panel.times.tolist() == [0, 1, 0, 1, 2]
    assert table.panel.categories == {"state": ["NSW", "VIC"]}
    assert table.panel.columns["state"].tolist() == [0, 0, 1, 1, 1]


@pytest.mark.parametrize(
    ("content", "fact"),
    [
        (HEAD.format(frequency="weekly"), "has no series."),
        (HEAD.format(frequency="wekly"), ", line 6: there is no frequency 'wekly'."),
        (HEAD.format(frequency="0_days"), ", line 6: there is no frequency '0_days'."),
        ("@data\nT1:1\n", ", line 1: the data begin before any @attribute."),
        ("@attribute a text\n", ", line 1: '@attribute a text' is no new attribute of type string, numeric or date."),
        ("nonsense\n", ", line 1: 'nonsense' is no line of a header."),
        (HEAD.format(frequency="weekly") + "T1:1,2\n", ", line 11: it has 1 attributes and not 2."),
        (HEAD.format(frequency="weekly") + "T1:2012-01-01 00-00-00:1,x\n", ", line 11: 'x' is no number."),
        (HEAD.format(frequency="weekly") + "T1:then:1,2\n", ": series 1 begins at 'then', which is no time."),
        (HEAD.format(frequency="weekly") + "T1:2012-02-30:1\n", ": series 1 begins at '2012-02-30', which is no time."),
    ],
)
def test_what_is_not_of_the_format(tmp_path, content, fact):
    path = write(tmp_path, content)
    assert refusal(path) == f"{path}{'' if fact[0] in ',:' else ' '}{fact}"
