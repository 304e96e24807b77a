"""The queue, one review, who has it and what was said about it: over HTTP, on both databases."""

import asyncio

import pytest

from vertice.adaptive.advisories.model import Severity


async def test_the_queue_comes_in_pages_the_most_urgent_first(desk):
    for number, priority in ((1, 3), (2, 1), (3, 2), (4, 1), (5, 9)):
        await desk.review(number, priority=priority)
    rita = await desk.person("rita")
    codes, cursor, pages = [], "", 0
    while cursor is not None:
        answer = await rita.get("/hitl/reviews", params={"limit": 2, "cursor": cursor})
        assert answer.status_code == 200
        page = answer.json()
        codes += [one["code"] for one in page["items"]]
        cursor, pages = page["next"], pages + 1
        assert ("next" in answer.links) == (cursor is not None)
    assert [code[-1] for code in codes] == ["2", "4", "3", "1", "5"]
    assert pages == 3


@pytest.mark.parametrize("order", ["priority", "created", "-created", "-updated", "due", "confidence", "-confidence"])
async def test_every_order_gives_each_review_once_however_it_is_cut(desk, order):
    for number in range(1, 6):
        await desk.review(number, proof=("proven", "refuted", "partly", "unproven", "proven")[number - 1])
    rita = await desk.person("rita")
    whole = (await rita.get("/hitl/reviews", params={"sort": order})).json()["items"]
    assert len(whole) == 5
    codes, cursor = [], ""
    while cursor is not None:
        page = (await rita.get("/hitl/reviews", params={"sort": order, "limit": 1, "cursor": cursor})).json()
        codes += [one["code"] for one in page["items"]]
        cursor = page["next"]
    assert codes == [one["code"] for one in whole]


@pytest.mark.parametrize(
    ("query", "fitting"),
    [
        ({"severity": "critical"}, {1}),
        ({"severity": ["critical", "low"]}, {1, 3}),
        ({"verdict": "failed"}, {2}),
        ({"project": "shop"}, {1, 2}),
        ({"package": "jinja2"}, {3}),
        ({"q": "JINJA"}, {3}),
        ({"q": "apv-20261121-00"}, {1, 2, 3}),
        ({"q": "cAFÉ"}, {3}),
        ({"q": "20%"}, set()),
        ({"q": "a_v"}, set()),
        ({"q": "\\"}, set()),
        ({"q": "'; drop table apv_reviews; --"}, set()),
        ({"status": "rejected"}, set()),
        ({"status": ["pending", "escalated"]}, {1, 2, 3}),
        ({"assignee": "none"}, {1, 2, 3}),
        ({"assignee": "test|rita"}, set()),
        ({"cve": "CVE-2020-14343", "verdict": "failed"}, {2}),
        ({"overdue": "true"}, set()),
    ],
    ids=lambda value: "-".join(f"{key}={one}" for key, one in value.items()) if isinstance(value, dict) else "",
)
async def test_filters_and_search_find_what_fits_and_know_no_wildcards(desk, query, fitting):
    await desk.review(1, severity=Severity.critical)
    await desk.review(2, proof="refuted")
    await desk.review(3, severity=Severity.low, package="jinja2", name="Café")
    rita = await desk.person("rita")
    answer = await rita.get("/hitl/reviews", params=query)
    assert answer.status_code == 200
    assert {int(one["code"][-3:]) for one in answer.json()["items"]} == fitting


async def test_the_detail_shows_what_a_decision_needs_and_has_an_etag(desk):
    review = await desk.review()
    rita = await desk.person("rita")
    answer = await rita.get(f"/hitl/reviews/{review.code}")
    detail = answer.json()
    assert answer.headers["etag"] == f'"v{review.version}"'
    assert detail["remedy"]["diff"].startswith("--- a/requirements.txt")
    assert detail["package_change"] == "5.3.1 → 5.4"
    assert detail["evidence_digest"] == review.evidence_digest
    assert [apv["code"] for apv in detail["apvs"]] == [review.code]
    again = await rita.get(f"/hitl/reviews/{review.code}", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert str(desk.home) not in answer.text.replace(str(review.proposal.ref), ""), "no path of this machine"


async def test_claiming_shows_others_who_looks_at_it(desk):
    review = await desk.review()
    rita, rui, lena = [await desk.person(name) for name in ("rita", "rui", "lena")]
    at = {"If-Match": f'"v{review.version}"'}
    claimed = await rita.post(f"/hitl/reviews/{review.code}/claim", headers=at)
    assert (claimed.status_code, claimed.json()["assignee_name"]) == (200, "Rita")
    stale = await rui.post(f"/hitl/reviews/{review.code}/claim", headers=at)
    assert stale.status_code == 409, "somebody has it: that is said before the version"
    assert (stale.json()["detail"], stale.json()["current"]["assignee_name"]) == ("Rita has it", "Rita")
    now = {"If-Match": claimed.headers["etag"]}
    assert (await rui.post(f"/hitl/reviews/{review.code}/claim", headers=now)).status_code == 409
    mine = (await rui.get("/hitl/reviews", params={"assignee": "test|rita"})).json()["items"]
    assert [one["code"] for one in mine] == [review.code]
    given = await lena.put(f"/hitl/reviews/{review.code}/assignee", headers=now, json={"id": "test|rui"})
    assert (given.json()["assignee"], given.json()["assignee_name"]) == ("test|rui", "Rui")
    unknown = await lena.put(
        f"/hitl/reviews/{review.code}/assignee", headers={"If-Match": given.headers["etag"]}, json={"id": "test|nobody"}
    )
    assert (unknown.status_code, unknown.json()["detail"]) == (422, "nobody of this id has logged in")
    refused = await rita.put(f"/hitl/reviews/{review.code}/assignee", headers=now, json={"id": "test|rita"})
    assert refused.status_code == 403, "only a lead assigns"
    stale = await rui.request("DELETE", f"/hitl/reviews/{review.code}/claim", headers=now)
    assert (stale.status_code, stale.headers["etag"]) == (412, given.headers["etag"])
    free = await rui.request(
        "DELETE", f"/hitl/reviews/{review.code}/claim", headers={"If-Match": given.headers["etag"]}
    )
    assert free.json()["assignee"] is None
    assert (await lena.post(f"/hitl/reviews/{review.code}/claim")).status_code == 428
    assert (await desk.api.service.reviews.verify()).ok


async def test_of_many_who_claim_at_once_one_has_it(desk):
    review = await desk.review()
    people = [await desk.person(name) for name in ("rita", "rui", "lena", "leo")]
    at = {"If-Match": f'"v{review.version}"'}
    answers = await asyncio.gather(
        *(person.post(f"/hitl/reviews/{review.code}/claim", headers=at) for person in people)
    )
    assert sum(answer.status_code == 200 for answer in answers) == 1
    assert {answer.status_code for answer in answers} <= {200, 409, 412}


async def test_who_claims_whatever_the_version_takes_it_from_nobody(desk):
    rita, rui = await desk.person("rita"), await desk.person("rui")
    for number in range(1, 6):
        review = await desk.review(number)
        answers = await asyncio.gather(
            *(person.post(f"/hitl/reviews/{review.code}/claim", headers={"If-Match": "*"}) for person in (rita, rui))
        )
        assert sorted(answer.status_code for answer in answers) == [200, 409]
        (won,) = (answer.json()["assignee"] for answer in answers if answer.status_code == 200)
        assert (await desk.api.service.reviews.get(review.code)).assignee == won


async def test_comments_are_kept_as_they_are_said(desk):
    review = await desk.review()
    rita, vera = await desk.person("rita"), await desk.person("vera")
    nasty = "<script>alert(1)</script> **bold** [x](javascript:x)\r\nX-Injected: 1 \u202e ✓ 'quoted' \\ %s {0}"
    made = await rita.post(f"/hitl/reviews/{review.code}/comments", json={"text": nasty})
    assert (made.status_code, made.json()["text"]) == (201, nasty)
    assert "x-injected" not in made.headers
    assert (await vera.post(f"/hitl/reviews/{review.code}/comments", json={"text": "me too"})).status_code == 403
    listed = (await vera.get(f"/hitl/reviews/{review.code}/comments")).json()["items"]
    assert [(one["author_name"], one["text"]) for one in listed] == [("Rita", nasty)]
    assert (await rita.get(f"/hitl/reviews/{review.code}")).headers["etag"] == f'"v{review.version}"', "not a change"
    assert (await desk.api.service.reviews.verify()).ok


@pytest.mark.parametrize("text", ["", "   ", "x" * 10_001, "nul \0", 5, None, ["a"]])
async def test_a_comment_that_cannot_be_kept_is_refused(desk, text):
    review = await desk.review()
    rita = await desk.person("rita")
    answer = await rita.post(f"/hitl/reviews/{review.code}/comments", json={"text": text})
    assert answer.status_code in {400, 422}
    assert answer.headers["content-type"] == "application/problem+json"
    assert (await rita.get(f"/hitl/reviews/{review.code}/comments")).json() == {"items": []}


async def test_options_say_what_you_may_do_and_why_not(desk):
    review = await desk.review(severity=Severity.critical)
    rita, lena = await desk.person("rita"), await desk.person("lena")
    hers = {one["decision"]: one for one in (await rita.get(f"/hitl/reviews/{review.code}/options")).json()["items"]}
    assert (hers["approve"]["allowed"], hers["modify"]["allowed"]) == (False, True)
    assert "takes the role lead" in hers["approve"]["reason"]
    leads = {one["decision"]: one for one in (await lena.get(f"/hitl/reviews/{review.code}/options")).json()["items"]}
    assert leads["approve"]["allowed"]


async def test_everybody_who_ever_logged_in_is_listed_by_name_to_give_reviews_to(desk):
    for name in ("rui", "lena"):
        await desk.person(name)
    rita = await desk.person("rita")
    first = await rita.get("/hitl/people", params={"limit": 2})
    assert [(one["id"], one["name"], one["role"]) for one in first.json()["items"]] == [
        ("test|lena", "Lena", "lead"),
        ("test|rita", "Rita", "reviewer"),
    ]
    assert all("@" not in str(one) for one in first.json()["items"])
    rest = await rita.get("/hitl/people", params={"limit": 2, "cursor": first.json()["next"]})
    assert ([one["name"] for one in rest.json()["items"]], rest.json()["next"]) == (["Rui"], None)
    assert (await desk.client().get("/hitl/people")).status_code == 401


async def test_a_monitor_that_sends_head_is_answered(desk):
    rita = await desk.person("rita")
    for path in ("/health/live", "/hitl/reviews", "/hitl/openapi.json", "/problems"):
        assert ((await rita.head(path)).status_code, (await rita.head(path)).content) == (200, b"")
    assert (await desk.client().head("/hitl/reviews")).status_code == 401
