import shlex
from itertools import pairwise

import pytest
from tests.benchmark.conftest import spycon_file

from spikeweft.benchmark import studies
from spikeweft.benchmark.score import empty_row
from spikeweft.cli import app
from spikeweft.errors import InputError


@pytest.fixture(scope="module")
def all_cases(tmp_path_factory):
    file = spycon_file(tmp_path_factory.mktemp("spycon"))
    return [
        *studies.paper(),
        *studies.curves(),
        *studies.wirings(spycon=file),
        *studies.ablations(),
    ]


def test_no_case_is_listed_twice(all_cases):
    rows = [empty_row(each) for each in all_cases]
    assert len({row.key for row in rows}) == len({row.name for row in rows}) == len(rows)


def test_cases_on_the_same_spikes_follow_each_other(all_cases):
    for study in ("paper", "wirings", "ablations"):
        data = [(c.network, c.minutes, c.seed, c.file) for c in all_cases if c.study == study]
        changes = sum(one != two for one, two in pairwise(data))
        assert changes == len(set(data)) - 1


def test_the_command_of_a_row_asks_for_that_row(all_cases):
    for each in all_cases[::7]:
        words = shlex.split(each.command)
        assert words[0] == "spikeweft"
        _, bound, _ = app.parse_args(words[1:], exit_on_error=False, print_error=False)
        asked = bound.arguments["options"]
        assert asked.seeds == (each.seed,)
        assert asked.table == (each.table,)
        assert asked.methods == (each.method.name,)
        assert bound.arguments.get("minutes", each.minutes) == each.minutes


def test_what_does_not_occur_in_a_study_cannot_be_chosen():
    cases = studies.paper()
    assert {c.table for c in studies.chosen(cases, tables=["2"])} == {"2"}
    assert {c.method.name for c in studies.chosen(cases, (), ["TCA"])} == {"TCA"}
    with pytest.raises(InputError, match="no table '7' here; choose 1, 2, 3, partial"):
        studies.chosen(cases, tables=["7"])
    with pytest.raises(InputError, match=r"no method 'GLM' here; choose CircuitGNN, "):
        studies.chosen(cases, methods=["GLM"])
