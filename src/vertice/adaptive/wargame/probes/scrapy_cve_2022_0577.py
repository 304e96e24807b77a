# /// vertice-probe
# id = "PYSEC-2022-159"
# aliases = ["CVE-2022-0577", "GHSA-cjvr-mfj7-j4j8"]
# package = "scrapy"
# summary = "Cookies that a spider gives with a request are sent again to whatever other site the answer redirects to."
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:U/C:H/I:N/A:N" }]
# cwe = ["CWE-200", "CWE-863"]
# kind = "leak"
# symbols = [
#   "scrapy.Request",
#   "scrapy.FormRequest",
#   "scrapy.http.Request",
#   "scrapy.downloadermiddlewares.redirect.RedirectMiddleware",
#   "scrapy.downloadermiddlewares.redirect.MetaRefreshMiddleware",
#   "scrapy.downloadermiddlewares.cookies.CookiesMiddleware",
# ]
#
# [[affected]]
# package = "scrapy"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "2.6.1" }] }]
#
# [cases]
# attack = "the cookies argument of a request goes to another host after a 302"
# [cases.variants]
# header = "with cookie handling switched off, a Cookie header goes to another host after a meta refresh"
# [cases.controls]
# same_site = "a redirect within the same site keeps the cookie"
#
# [test]
# vulnerable = "2.5.1"
# fixed = "2.6.1"
# with = [
#   "twisted==22.10.0",
#   "pyopenssl==23.2.0",
#   "cryptography==41.0.7",
#   "setuptools<70",
#   "w3lib==1.22.0",
#   "parsel==1.6.0",
#   "cssselect==1.1.0",
# ]
# ///
"""CVE-2022-0577: cookies follow a redirect to another site."""

import json
import logging
import sys
import warnings

warnings.simplefilter("ignore")


class Off(object):
    """COOKIES_ENABLED = False"""

    def process_request(self, request, spider):
        pass


def follow(request, answer, cookies=None):
    """(Cookie header of the request, of the redirected request, its URL) as the downloader would send them."""
    from scrapy.downloadermiddlewares.cookies import CookiesMiddleware
    from scrapy.downloadermiddlewares.redirect import MetaRefreshMiddleware, RedirectMiddleware
    from scrapy.http import HtmlResponse, Request
    from scrapy.settings import Settings
    from scrapy.spiders import Spider

    logging.getLogger("scrapy").setLevel(logging.CRITICAL)
    spider, cookies, settings = Spider(name="probe"), cookies or CookiesMiddleware(), Settings()
    cookies.process_request(request, spider)
    result = HtmlResponse(request.url, request=request, encoding="utf-8", **answer)
    for middleware in (MetaRefreshMiddleware(settings), RedirectMiddleware(settings)):
        result = middleware.process_response(request, result, spider)
        if isinstance(result, Request):
            break
    else:
        raise RuntimeError("no redirect was made")
    cookies.process_request(result, spider)
    return request.headers.get("Cookie"), result.headers.get("Cookie"), result.url


def look(sent, then, url):
    if url != "http://other.example/end" or sent != b"session=secret":
        return "error", "%r was redirected to %s" % (sent, url)
    if then and b"secret" in then:
        return "exploited", "the request to other.example has the cookie"
    return "blocked", "the request to other.example was made without the cookie"


REDIRECT = {"status": 302, "headers": {"Location": "http://other.example/end"}}
REFRESH = {"body": b'<html><head><meta http-equiv="refresh" content="0; url=http://other.example/end"></head></html>'}


def attack():
    from scrapy.http import Request

    return look(*follow(Request("http://shop.example/start", cookies={"session": "secret"}), REDIRECT))


def header():
    from scrapy.http import Request

    request = Request("http://shop.example/start", headers={"Cookie": "session=secret"})
    return look(*follow(request, REFRESH, Off()))


def same_site():
    from scrapy.http import Request

    request = Request("http://shop.example/start", cookies={"session": "secret"})
    got = follow(request, {"status": 302, "headers": {"Location": "/end"}})
    good = got == (b"session=secret", b"session=secret", "http://shop.example/end")
    return ("works", "redirected with the cookie") if good else ("broken", repr(got))


CASES = {"attack": attack, "header": header, "same_site": same_site}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
