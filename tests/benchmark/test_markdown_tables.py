from dataclasses import replace

from tests.benchmark.conftest import row

from spikeweft.benchmark.markdown_tables import folder_markdown, markdown, summary
from spikeweft.benchmark.rows import write_rows


def test_tables_come_from_the_csv(tmp_path):
    rows = [row(seed=seed, delta=delta, seconds=90.0) for seed, delta in ((1, 0.2), (2, 0.4))]
    write_rows(tmp_path / "paper.csv", [*rows, row(method="Broken", seed=1, failed="no spikes")])
    text = folder_markdown(tmp_path)
    assert "| CoincidenceCounter | 0.300 (0.200–0.400) |" in text
    assert "| 1.5 |" in text
    assert "- failed: Broken, seed 1: no spikes" in text
    assert "| *Yoon (2025): GNN* | 0.049 |" in text
    table = (tmp_path / "paper.csv").read_text()
    (tmp_path / "paper.csv").write_text(table.replace(",0.4,", ",0.6,"))
    assert "| 0.400 (0.200–0.600) |" in folder_markdown(tmp_path)


def test_a_summary_has_a_column_per_network_and_no_curves():
    rows = [row(delta=0.3, bits_per_spike_pooled=1.0), row(setting="Profile II", delta=0.1)]
    rows += [row(table="partial", delta=0.2), row(study="curves", delta=0.2)]
    text = summary(rows)
    assert "| method | ring, LNP | Profile II, LNP |" in text
    assert "| CoincidenceCounter | 0.300 / 1.000 | 0.100 |" in text
    assert "0.200" not in text


def test_a_summary_says_where_a_method_has_fewer_seeds():
    rows = [row(seed=seed) for seed in (1, 2, 3)] + [row(method="Late", seed=2)]
    text = summary(rows)
    assert "| CoincidenceCounter |" in text
    assert "| Late (only seed 2) |" in text


def test_lines_of_a_table_are_told_apart_by_what_varies():
    rows = [row(n_observed=6 + i, n_hidden=i, delta=0.1) for i in range(2)]
    assert "| method | observed | hidden | Δ |" in markdown(rows)
    assert "| method | Δ |" in markdown(rows[:1])


def test_a_cell_of_fewer_seeds_than_its_network_says_which():
    """A seed that the method has on another network does not count."""
    rows = [
        row(method=name, setting=setting, seed=seed, delta=0.1)
        for name, setting in (("Full", "ring"), ("Full", "Profile II"), ("Late", "ring"))
        for seed in (1, 2)
    ]
    rows.append(row(method="Late", setting="Profile II", seed=1, delta=0.2))
    assert "| Late | 0.100 | 0.200 (only seed 1) |" in summary(rows)
    assert "| Late (only seed 1) | 0.200 |" in markdown(rows)
    assert "Full (only" not in summary(rows) + markdown(rows)


def test_a_network_of_fewer_seeds_than_the_table_says_which():
    rows = [row(seed=seed) for seed in (1, 2)] + [row(setting="spycon", seed=1)]
    assert "| spycon, LNP (only seed 1) |" in summary([replace(r, delta=0.1) for r in rows])
    assert "### Table 1: spycon, LNP neurons (only seed 1)" in markdown(rows)


def test_recordings_of_different_lengths_are_not_averaged():
    rows = [row(minutes=minutes, delta=delta) for minutes, delta in ((8.0, 0.1), (1.0, 0.5))]
    text = summary(rows)
    assert "| method | ring, LNP, 8 min | ring, LNP, 1 min |" in text
    assert "| CoincidenceCounter | 0.100 | 0.500 |" in text
