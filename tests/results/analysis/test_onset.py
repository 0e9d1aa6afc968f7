"""When order, attention and path come, on made-up tables that a person can follow."""

import polars as pl
import pytest

from lrsym.results.analysis.onset import onsets, trajectories, who_leads

TERMS = ("none", "EP", "PP", "EP+PP+BP", "VP")
EP, VALUE, NONE = (0.9, 0.5, 0.9, 0.5, 0.9), (0.9, 0.9, 0.9, 0.9, 0.5), (0.5, 0.5, 0.5, 0.5, 0.5)


def ablations(orders, *, trial_id="x"):
    """Rows of ablation_curves from order with each of TERMS left out, by step."""
    common = {"split": "unseen", "metric": "order"}
    return pl.DataFrame(
        [
            {"trial_id": trial_id, "step": step, "term": term, "value": value, **common}
            for step, values in orders.items()
            for term, value in zip(TERMS, values, strict=False)
        ]
    )


def measures(attend, *, trial_id="x", encoder="vision"):
    """Rows of measure_curves from attend_last of each head, by step."""
    return pl.DataFrame(
        [
            {"trial_id": trial_id, "step": step, "encoder": encoder, "block": 0, "head": head, "measure": "attend_last",
             "value": value}
            for step, values in attend.items()
            for head, value in enumerate(values)
        ]
    )  # fmt: skip


def test_attention_is_the_share_of_scenes_of_the_head_that_most_often_looks_to_one_side():
    found = trajectories(ablations({10: NONE, 20: EP}), measures({10: (0.0, -0.1), 20: (0.2, -0.8)}))
    assert found["attention"].to_list() == pytest.approx([0.55, 0.9])
    assert found["order"].to_list() == [0.5, 0.9]
    assert found["path"].to_list() == ["none", "ep"]


def test_other_splits_metrics_measures_and_the_text_encoder_do_not_matter():
    table = ablations({10: NONE})
    other = [{"split": pl.lit("seen")}, {"metric": pl.lit("global")}]
    others = [table.with_columns(value=1.0, **change) for change in other]
    told = measures({10: (0.5,)})
    noise = [told.with_columns(measure=pl.lit("relational"), value=1.0), measures({10: (1.0,)}, encoder="text")]
    found = trajectories(pl.concat([table, *others]), pl.concat([told, *noise]))
    assert found.select("order", "attention", "path").rows() == [(0.5, 0.75, "none")]


def test_a_decoder_is_read_as_a_vision_encoder_is():
    found = trajectories(ablations({10: NONE}), measures({10: (0.5,)}, encoder="decoder"))
    assert found["attention"].to_list() == [0.75]


def test_onsets_are_the_first_evaluations_above_the_threshold_and_a_path_must_last():
    table = ablations({10: NONE, 20: VALUE, 30: EP, 40: EP})
    told = measures({10: (0.4,), 20: (0.1,), 30: (0.9,), 40: (0.9,)})
    (row,) = onsets(trajectories(table, told)).to_dicts()
    assert row == {"trial_id": "x", "path": "ep", "attention_at": 10, "order_at": 20, "path_at": 30}


def test_what_is_never_reached_is_null_and_a_trial_without_order_chooses_no_path():
    (row,) = onsets(trajectories(ablations({10: NONE, 20: NONE}), measures({10: (0.0,), 20: (0.3,)}))).to_dicts()
    assert row == {"trial_id": "x", "path": "none", "attention_at": None, "order_at": None, "path_at": None}


def test_without_terms_there_is_no_path_and_the_rest_is_there():
    table = ablations({10: (0.5,), 20: (0.8,)})
    (row,) = onsets(trajectories(table, measures({10: (0.0,), 20: (0.9,)}))).to_dicts()
    assert row == {"trial_id": "x", "path": None, "attention_at": 20, "order_at": 20, "path_at": None}


def test_trials_are_kept_apart():
    table = pl.concat([ablations({10: NONE, 20: EP}), ablations({10: VALUE, 20: VALUE}, trial_id="y")])
    told = pl.concat([measures({10: (0.9,), 20: (0.9,)}), measures({10: (0.0,), 20: (0.0,)}, trial_id="y")])
    found = onsets(trajectories(table, told))
    assert found.select("trial_id", "attention_at", "order_at", "path_at").rows() == [
        ("x", 10, 20, 20), ("y", None, 10, 10),
    ]  # fmt: skip


def test_who_leads_counts_never_as_later_than_any_step():
    found = pl.DataFrame(
        [(10, 20), (20, 10), (10, 10), (None, 30), (30, None), (None, None)],
        schema={"attention_at": pl.Int64, "order_at": pl.Int64}, orient="row",
    )  # fmt: skip
    assert who_leads(found) == {"attention": 2, "order": 2, "neither": 1, "never": 1}
    assert who_leads(found.clear()) == {
        "attention": 0, "order": 0, "neither": 0, "never": 0,
    }  # fmt: skip
