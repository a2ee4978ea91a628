"""The model behind the guide's sizing page, and the page itself."""

from itertools import pairwise

import pytest
from tests.benchmarks.simulation import Batch, Site, simulate
from tests.benchmarks.sizing import PAGE, RATES, batch_at, plan, read_costs, with_table

BATCH = Batch(events=500, worker=0.040, before=0.010, after=0.010, commit=0.005, travel=0.0)


def test_the_page_says_what_the_model_says() -> None:
    page = PAGE.read_text()
    assert with_table(page, read_costs()) == page, "run python -m tests.benchmarks.sizing"


def test_one_worker_is_as_fast_as_its_own_core() -> None:
    alone = simulate(Site(1, 4), BATCH, one_bug=False)
    assert alone.rate == pytest.approx(500 / 0.040, rel=0.01)
    assert alone.limit == "workers"


def test_a_database_of_two_cores_is_the_limit_of_many_workers() -> None:
    many = simulate(Site(20, 2), BATCH, one_bug=False)
    assert many.rate == pytest.approx(2 * 500 / 0.020, rel=0.01)
    assert many.limit == "database"


def test_one_incident_in_every_batch_is_the_limit_of_whatever_is_put_beneath_it() -> None:
    for site in (Site(20, 16), Site(40, 64)):
        hot = simulate(site, BATCH, one_bug=True)
        assert hot.rate == pytest.approx(500 / 0.015, rel=0.01)
        assert hot.limit == "incident"


def test_workers_and_database_of_the_same_cores_share_them() -> None:
    shared = simulate(Site(4, 2, shared_cores=2), BATCH, one_bug=False)
    assert shared.rate == pytest.approx(2 * 500 / 0.060, rel=0.02)


def test_a_higher_rate_never_takes_less_and_its_batches_are_never_smaller() -> None:
    costs = read_costs()
    plans = [plan(costs, rate) for rate in RATES]
    for lower, higher in pairwise(plans):
        assert lower.workers <= higher.workers
        assert lower.database_cores < higher.database_cores
    assert [batch_at(costs, rate) for rate in (1, 10**6)] == [1.0, 500.0]
