"""One requirements file as pip reads it."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement as Pep508
from packaging.utils import canonicalize_name

from vertice.adaptive.inventory.requirements_text import parse_requirement, parse_requirements
from vertice.kernel.errors import InputError, VerticeError

HASH = "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    ("line", "name", "pin", "extras", "marker"),
    [
        ("PyYAML==5.3.1", "pyyaml", "5.3.1", (), ""),
        ("zope.interface == 5.0", "zope-interface", "5.0", (), ""),
        ("uvicorn[Standard, all]==0.24.0", "uvicorn", "0.24.0", ("all", "standard"), ""),
        ("a==1 ; python_version < '3.8'", "a", "1", (), "python_version < '3.8'"),
        ("a===2004d", "a", "2004d", (), ""),
        ("pytz==2004d", "pytz", "2004d", (), ""),
        ("a (==1.0)", "a", "1.0", (), ""),
        ("a>=1,==1.5", "a", "1.5", (), ""),
        ("a==1.*", "a", "", (), ""),
        ("a>=1,<2", "a", "", (), ""),
        ("a", "a", "", (), ""),
        ("a==1.0+local.1", "a", "1.0+local.1", (), ""),
        ("a==1!2.0rc1", "a", "1!2.0rc1", (), ""),
        ("a==1.0 --hash=" + HASH, "a", "1.0", (), ""),
        ("a==1.0 --config-settings 'x=y z'", "a", "1.0", (), ""),
        ("a==1.0 # why", "a", "1.0", (), ""),
        ("  a==1.0\t", "a", "1.0", (), ""),
    ],
)
def test_a_line_is_read(line: str, name: str, pin: str, extras: tuple[str, ...], marker: str) -> None:
    (found,) = parse_requirements(line, "r.txt").requirements
    assert (found.name, found.pin, found.extras, found.marker) == (name, pin, extras, marker)
    assert found.where == "r.txt:1"


def test_continued_lines_keep_the_first_line_and_all_hashes() -> None:
    text = f"# top\na==1 \\\n    --hash={HASH} \\\n    --hash sha512:ff\nb==2\n"
    a, b = parse_requirements(text, "r.txt").requirements
    assert (a.line, a.end_line, a.hashes) == (2, 4, (HASH, "sha512:ff"))
    assert (b.line, b.end_line) == (5, 5)


def test_a_comment_inside_a_continuation_ends_it_as_in_pip() -> None:
    text = "a==1 \\\n# note \\\nb==2\n"
    assert [one.name for one in parse_requirements(text, "r.txt").requirements] == ["a", "b"]


def test_a_hash_sign_inside_a_word_is_no_comment() -> None:
    (left,) = parse_requirements("git+https://example.com/x.git#egg=x  # note", "r.txt").left_out
    assert left.text == "git+https://example.com/x.git#egg=x"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_kind_of_line_end_counts_as_one_line(end: str) -> None:
    found = parse_requirements(end.join(["a==1", "", "b==2", ""]), "r.txt")
    assert [(one.name, one.line) for one in found.requirements] == [("a", 1), ("b", 3)]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("git+https://example.com/x.git@v1#egg=x", "version-control"),
        ("x @ git+ssh://git@example.com/x.git", "version-control"),
        ("https://example.com/x-1.0-py3-none-any.whl", "direct URL"),
        ("x[a] @ https://example.com/x-1.0.tar.gz ; python_version < '4'", "direct URL"),
        ("x @ file:///x", "direct URL or path"),
        ("./libs/x", "local path"),
        ("../x", "local path"),
        ("/srv/x", "local path"),
        ("libs/x", "local path"),
        (r"C:\libs\x", "local path"),
        ("x-1.0.tar.gz", "local path"),
        ("x-1.0-py3-none-any.whl --hash=" + HASH, "local path"),
        ("-e .", "editable"),
        ("--editable=git+https://example.com/x.git#egg=x", "editable"),
        ("x==${VERSION}", "${VERSION}"),
        ("--extra-index-url https://${TOKEN}@example.com/simple", "${TOKEN}"),
    ],
)
def test_what_no_index_has_is_left_out_with_the_reason(line: str, why: str) -> None:
    found = parse_requirements(f"a==1\n{line}\n", "r.txt")
    assert [one.name for one in found.requirements] == ["a"]
    (left,) = found.left_out
    assert why in left.why
    assert left.line == 2


def test_options_are_read_in_every_spelling() -> None:
    text = (
        "-i https://a/simple\n--index-url=https://b/simple --extra-index-url https://c/simple\n"
        "-rx.txt\n-r y.txt\n--requirement 'z z.txt'\n-c c.txt\n--pre\n--no-binary :all:\n--require-hashes\n"
    )
    found = parse_requirements(text, "r.txt")
    assert [(one.target, one.constraint) for one in found.includes] == [
        ("x.txt", False),
        ("y.txt", False),
        ("z z.txt", False),
        ("c.txt", True),
    ]
    assert [(one.name, one.value, one.line) for one in found.options] == [
        ("--index-url", "https://a/simple", 1),
        ("--index-url", "https://b/simple", 2),
        ("--extra-index-url", "https://c/simple", 2),
        ("--pre", "", 7),
        ("--no-binary", ":all:", 8),
        ("--require-hashes", "", 9),
    ]


@pytest.mark.parametrize(
    ("text", "via"),
    [
        ("a==1\n    # via flask\n", ("flask",)),
        ("a==1\n    # via\n    #   flask\n    #   -r r.in\n", ("flask", "-r r.in")),
        ("a==1   # via flask, jinja2\n", ("flask", "jinja2")),
        ("a==1   # via\n    #   flask\n# new part\n#   not a source\n", ("flask",)),
        ("a==1\n    # the best viable one\n    #   flask\n", ()),
        ("# via flask\na==1\n", ()),
        (f"a==1 \\\n    --hash={HASH}\n    # via my-app (pyproject.toml)\n", ("my-app (pyproject.toml)",)),
    ],
)
def test_via_comments_name_the_sources(text: str, via: tuple[str, ...]) -> None:
    (found,) = parse_requirements(text, "r.txt").requirements
    assert found.via == via


@pytest.mark.parametrize(
    "header",
    [
        "# This file was autogenerated by uv via the following command:",
        "# This file is autogenerated by pip-compile with Python 3.11",
        "# generated by pdm export",
    ],
)
def test_a_header_of_a_tool_is_seen(header: str) -> None:
    assert parse_requirements(f"{header}\na==1\n", "r.txt").generated
    assert not parse_requirements(f"a==1\n{header}\n", "r.txt").generated


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("foo bar", "`foo bar` is not a requirement"),
        ("==1.0", "`==1.0` is not a requirement"),
        ("a==1;", "`a==1;` is not a requirement"),
        ("a==1 ; nonsense", "is not an environment marker"),
        ("a==1 ; " + "(" * 5000, "is not an environment marker"),
        ("a>=1 ; " + "(" * 5000, "is not a requirement"),
        ("a==1 --bogus", "`--bogus` is not an option of a requirement"),
        ("a==1 --hash=nothing", "is not a hash"),
        ("--bogus x", "`--bogus` is not an option of a requirements file"),
        ("-r", "`-r` has no value"),
        ("-r 'x", "has a quote that is not closed"),
        ("a[b", "is not a requirement"),
        ("a[b c]==1", "is not a package name"),
        ("a\x1b[31m==1", r"\x1b"),
    ],
)
def test_a_malformed_line_is_named(line: str, what: str) -> None:
    with pytest.raises(InputError) as raised:
        parse_requirements(f"ok==1\n{line}\n", "r.txt", where="/p/r.txt")
    assert what in raised.value.what
    assert raised.value.where == "/p/r.txt:2"
    assert raised.value.todo


def test_a_line_of_megabytes_is_refused_before_it_is_read() -> None:
    with pytest.raises(InputError, match="longer than 262,144 characters"):
        parse_requirements("a==1\n" + "b" * 3_000_000, "r.txt")
    with pytest.raises(InputError, match="longer than 262,144 characters"):
        parse_requirements("a==1 \\\n" * 100_000, "r.txt")


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    "line", ["a" + " " * 200_000 + "x#y", "a " * 100_000, "a[" * 100_000, "${A" * 80_000, "#" * 200_000]
)
def test_hostile_lines_take_no_quadratic_time(line: str) -> None:
    try:
        parse_requirements(line, "r.txt")
    except InputError:
        return


def test_a_single_requirement_keeps_the_line_it_is_given() -> None:
    found = parse_requirement("a>=1", "pyproject.toml", 7, where="pyproject.toml:7")
    assert (found.file, found.line) == ("pyproject.toml", 7)


NAMES = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,10}[A-Za-z0-9])?", fullmatch=True)
VERSIONS = st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,3}){0,3}(rc[0-9]|\.post[0-9]|\.dev[0-9])?", fullmatch=True)
EXTRAS = st.lists(st.from_regex(r"[a-z]{1,5}", fullmatch=True), max_size=2)
MARKERS = st.sampled_from(["", "python_version < '3.9'", 'sys_platform == "win32" or extra == "x"'])
ENTRIES = st.tuples(NAMES, st.sampled_from(["==", ">=", "<", "==="]), VERSIONS, EXTRAS, MARKERS, st.integers(0, 2))


@given(st.lists(ENTRIES, max_size=20), st.sampled_from(["\n", "\r\n"]), st.lists(st.sampled_from(["", "# note"])))
def test_a_generated_file_gives_back_names_versions_and_lines(
    entries: list[tuple[str, str, str, list[str], str, int]], end: str, between: list[str]
) -> None:
    lines: list[str] = []
    expected = []
    for name, operator, version, extras, marker, hashes in entries:
        lines += between
        asked = f"{name}{'[' + ','.join(extras) + ']' if extras else ''}{operator}{version}"
        asked += f" ; {marker}" if marker else ""
        expected.append((asked, len(lines) + 1))
        lines += [asked + "".join(f" \\{end}    --hash={HASH}" for _ in range(hashes))]
        lines = end.join(lines).split(end)
    found = parse_requirements(end.join(lines), "r.txt").requirements
    assert len(found) == len(expected)
    for one, (asked, line) in zip(found, expected, strict=True):
        reference = Pep508(asked)
        assert one.name == canonicalize_name(reference.name)
        assert one.extras == tuple(sorted(reference.extras))
        assert one.line == line
        assert (one.marker != "") == (reference.marker is not None)
        pins = [part.version for part in reference.specifier if part.operator in {"==", "==="}]
        assert one.pin == (pins[0] if pins else "")


@given(st.text(alphabet=string.printable + "é\u202e\x00", max_size=200))
def test_any_text_gives_a_result_or_one_clear_error(text: str) -> None:
    caught: VerticeError | None = None
    try:
        parse_requirements(text, "r.txt")
    except VerticeError as error:
        caught = error
    assert caught is None or (caught.where.startswith("r.txt:") and caught.todo)
