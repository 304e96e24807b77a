"""Reviews as rows."""

from dataclasses import replace

import pytest

from vertice.adaptive.remedy.model import Change
from vertice.adaptive.review.rows import fill
from vertice.adaptive.review.tables import ApvReview

IDNA, REQUESTS = Change("idna", "2.10", "3.14"), Change("requests", "2.25.1", "2.32.2")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ((IDNA, REQUESTS), "2.25.1 → 2.32.2"),
        ((IDNA,), "idna 2.10 → 3.14"),
        ((IDNA, Change("requests", "2.25.1", "")), "2.25.1 → gone"),
        ((Change("requests", "", "2.32.2"),), "new → 2.32.2"),
    ],
)
def test_the_change_that_is_told_is_that_of_the_package_that_is_named(samples, changes, said):
    new = samples.a_new_review(
        apvs=(samples.an_apv(package="requests"),), remedy=replace(samples.a_remedy(), changes=changes)
    )
    row = ApvReview()
    fill(row, new)
    assert (row.package_name, row.package_change) == ("requests", said)
