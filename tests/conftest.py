"""Fixtures for all tests.

Every test starts with a fresh naming counter, float32, the C engine and seed 0. A test that takes
`isa` runs once for every instruction set this CPU offers, with that one in use.
"""

from __future__ import annotations

import os

import numpy as np
import pytest

from fastnn import _core, config


def pytest_generate_tests(metafunc):
    if "isa" in metafunc.fixturenames:
        metafunc.parametrize("isa", _core.isas(), indirect=True)


@pytest.fixture
def isa(request):
    """The name of an instruction set, in use during the test."""
    before = _core.isa()
    _core.set_isa(request.param)
    yield request.param
    _core.set_isa(before)


@pytest.fixture
def rng():
    """A generator of the test's own, always in the same state."""
    return np.random.default_rng(0)


@pytest.fixture(autouse=True)
def fresh_settings():
    """Undo what a test does to the settings of the process."""
    threads = _core.get_num_threads()
    config.clear_session()
    config.set_random_seed(0)
    yield
    config.set_floatx("float32")
    config.set_engine("c")
    _core.set_num_threads(threads)


def _forbid_skip(report):
    if os.environ.get("FASTNN_NO_SKIP") and (report.skipped or hasattr(report, "wasxfail")):
        report.outcome = "failed"
        report.longrepr = f"a skip counts as a failure here: {report.longrepr}"
        vars(report).pop("wasxfail", None)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    return _forbid_skip((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    return _forbid_skip((yield))
