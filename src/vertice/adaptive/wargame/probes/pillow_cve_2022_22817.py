# /// vertice-probe
# id = "PYSEC-2022-10"
# aliases = ["CVE-2022-22817", "GHSA-8vj2-vxx3-667w"]
# package = "pillow"
# summary = "ImageMath.eval evaluates its text with all of Python's builtins, so a foreign expression runs code."
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H" }]
# cwe = ["CWE-74"]
# kind = "rce"
# symbols = ["PIL.ImageMath.eval"]
#
# [[affected]]
# package = "pillow"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "9.0.0" }] }]
#
# [cases]
# attack = "an expression that calls exec writes a marker"
# [cases.variants]
# lambda_body = "the same call inside a lambda, whose names are not those of the expression"
# [cases.controls]
# arithmetic = "adding and comparing images works as documented"
#
# [test]
# vulnerable = "8.4.0"
# fixed = "9.0.1"
# ///
"""CVE-2022-22817: builtins in ImageMath expressions.

9.0.0 looks at the names of the outer expression only; 9.0.1 is the first release that refuses the lambda as well.
"""

import json
import os
import sys
import tempfile
import warnings

warnings.simplefilter("ignore")
MARKER = os.path.join(tempfile.mkdtemp(), "marker")
CALL = "exec(\"open('%s', 'w').close()\")" % MARKER


def evaluate(expression, images):
    from PIL import ImageMath

    if hasattr(ImageMath, "eval"):
        return ImageMath.eval(expression, images)
    return ImageMath.unsafe_eval(expression, **images)  # the name since eval was taken out


def evaluate_and_look(expression):
    from PIL import Image

    try:
        evaluate(expression, {"image": Image.new("L", (1, 1), 3)})
    except ValueError as error:
        refusal = str(error)
    else:
        refusal = ""
    if os.path.exists(MARKER):
        return "exploited", "the expression called exec and created the marker file"
    if "not allowed" not in refusal:
        return "error", "nothing happened and nothing was refused: %r" % refusal
    return "blocked", "ValueError: %s" % refusal


def attack():
    return evaluate_and_look(CALL)


def lambda_body():
    return evaluate_and_look("(lambda: %s)()" % CALL)


def arithmetic():
    from PIL import Image

    images = {"a": Image.new("L", (1, 1), 3), "b": Image.new("L", (1, 1), 4)}
    got = [evaluate(text, images).getpixel((0, 0)) for text in ("a + b * 2", "max(a, b)", "abs(a - b)")]
    return ("works", "three expressions as documented") if got == [11, 4, 1] else ("broken", repr(got))


CASES = {"attack": attack, "lambda_body": lambda_body, "arithmetic": arithmetic}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
