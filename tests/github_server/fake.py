"""As much of GitHub as the forge uses: git objects, branches, pull requests, checks. State is real; answers are its
own examples with that state put in, so that they have every field the description asks for."""

import copy
import hashlib
import io
import itertools
import json
import re
import tarfile
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.github_server.app import FakeApp

TREE, FILE = "040000", "100644"
Answer = tuple[int, Any, dict[str, str]]
_OF_ONE = 1000
"""Numbers of artifacts from here on are those of one run."""


class RefusedError(Exception):
    """GitHub says no."""

    def __init__(self, code: int, message: str, **more: Any) -> None:
        super().__init__(message)
        self.answer: Answer = (
            code,
            {"message": message, "documentation_url": "https://docs.github.com/rest", **more},
            {},
        )


class Examples:
    """The examples of GitHub's description, by method and path."""

    def __init__(self, description: Path) -> None:
        self._description = json.loads(description.read_text())

    def of(self, method: str, path: str, status: int) -> Any:
        operation = self._description["paths"][path][method.lower()]
        content = operation["responses"][str(status)]["content"]["application/json"]
        example = content.get("example") or next(iter(content["examples"].values()))
        while "$ref" in example:
            kind, name = example["$ref"].split("/")[2:]
            example = self._description["components"][kind][name]
        return copy.deepcopy(example.get("value", example))


@dataclass
class Pull:
    number: int
    title: str
    body: str
    head_ref: str
    head: str
    base_ref: str
    base: str
    state: str = "open"
    merged_at: str | None = None
    merged_by: str | None = None
    method: str = ""
    message: str = ""
    labels: list[str] = field(default_factory=list)
    assignees: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    reviews: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class FakeGitHub:
    examples: Examples
    codeload: str = ""
    """Where archives are fetched from."""
    owner: str = "acme"
    repo: str = "shop"
    blobs: dict[str, bytes] = field(default_factory=dict)
    trees: dict[str, dict[str, tuple[str, str]]] = field(default_factory=dict)
    commits: dict[str, dict[str, Any]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    pulls: list[Pull] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)
    statuses: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    checks: list[dict[str, Any]] = field(default_factory=list)
    required: list[str] = field(default_factory=list)
    rules: list[dict[str, Any]] = field(default_factory=list)
    allowed: tuple[bool, bool, bool] = (True, True, True)
    """merge, squash, rebase"""
    mergeable: bool | None = True
    mergeable_state: str = "clean"
    author_may_review: bool = False
    archive: bytes | None = None
    runs: list[dict[str, str]] = field(default_factory=list)
    """Inputs of the workflow runs that were started."""
    endings: dict[int, str] = field(default_factory=dict)
    """How runs ended; the others still run."""
    artifacts: dict[str, bytes] = field(default_factory=dict)
    """What each run leaves, by name."""
    results: dict[int, bytes] = field(default_factory=dict)
    """What one run alone leaves as its result."""
    app: FakeApp | None = None
    """The app that may come in; None: any token may."""
    seen: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    _ids: Any = field(default_factory=lambda: itertools.count(1))

    # What tests do by hand.

    def commit_files(self, files: dict[str, str], branch: str = "main", message: str = "by hand") -> str:
        """Add a commit with `files` to a branch, made if it is not there; other files stay."""
        ref = f"refs/heads/{branch}"
        parent = self.refs.get(ref)
        flat = self.flat(self.commits[parent]["tree"]) if parent else {}
        for path, text in files.items():
            flat[path] = (FILE, self._blob(text.encode()))
        self.refs[ref] = self._commit(self._tree(flat), [parent] if parent else [], message)
        for pull in self.pulls:
            if pull.head_ref == branch and pull.state == "open":
                pull.head = self.refs[ref]
        return self.refs[ref]

    def file(self, branch: str, path: str) -> str:
        flat = self.flat(self.commits[self.refs[f"refs/heads/{branch}"]]["tree"])
        return self.blobs[flat[path][1]].decode()

    def merge_by_hand(self, number: int) -> None:
        self._merge(self.pulls[number - 1], "merge", "by hand", "person")

    def outcome(self) -> dict[str, Any]:
        """Everything that people see; ids of commits, which hold the time, left out."""
        return {
            "branches": {
                ref: (self.commits[sha]["tree"], self.commits[sha]["message"], len(self.commits[sha]["parents"]))
                for ref, sha in self.refs.items()
            },
            "pulls": [
                {
                    **{name: value for name, value in vars(pull).items() if name not in {"head", "base", "merged_at"}},
                    "merged": pull.merged_at is not None,
                }
                for pull in self.pulls
            ],
            "labels": self.labels,
            "statuses": [status for _, status in self.statuses],
        }

    # Git objects, with git's own ids for blobs and trees.

    def flat(self, tree: str, prefix: str = "") -> dict[str, tuple[str, str]]:
        found: dict[str, tuple[str, str]] = {}
        for name, (mode, sha) in self.trees[tree].items():
            if mode == TREE:
                found |= self.flat(sha, f"{prefix}{name}/")
            else:
                found[prefix + name] = (mode, sha)
        return found

    def _object(self, kind: str, data: bytes) -> str:
        return hashlib.sha1(f"{kind} {len(data)}\0".encode() + data).hexdigest()

    def _blob(self, data: bytes) -> str:
        sha = self._object("blob", data)
        self.blobs[sha] = data
        return sha

    def _tree(self, flat: dict[str, tuple[str, str]]) -> str:
        entries: dict[str, tuple[str, str]] = {}
        folders: dict[str, dict[str, tuple[str, str]]] = {}
        for path, entry in flat.items():
            head, slash, rest = path.partition("/")
            if slash:
                folders.setdefault(head, {})[rest] = entry
            else:
                entries[head] = entry
        entries |= {name: (TREE, self._tree(inner)) for name, inner in folders.items()}
        ordered = sorted(entries.items(), key=lambda item: item[0] + ("/" if item[1][0] == TREE else ""))
        data = b"".join(f"{mode.lstrip('0')} {name}\0".encode() + bytes.fromhex(sha) for name, (mode, sha) in ordered)
        sha = self._object("tree", data)
        self.trees[sha] = dict(ordered)
        return sha

    def _commit(self, tree: str, parents: list[str], message: str) -> str:
        sha = self._object("commit", f"{tree} {parents} {message} {next(self._ids)}".encode())
        self.commits[sha] = {"tree": tree, "parents": parents, "message": message}
        return sha

    def _merge(self, pull: Pull, method: str, message: str, by: str) -> str:
        target = f"refs/heads/{pull.base_ref}"
        old, new = (self.flat(self.commits[sha]["tree"]) for sha in (pull.base, pull.head))
        flat = self.flat(self.commits[self.refs[target]]["tree"])
        flat |= {path: entry for path, entry in new.items() if old.get(path) != entry}
        parents = [self.refs[target], *([pull.head] if method == "merge" else [])]
        self.refs[target] = self._commit(self._tree(flat), parents, message)
        pull.state, pull.merged_at, pull.merged_by = "closed", "2026-11-21T12:00:00Z", by
        pull.method, pull.message = method, message
        return self.refs[target]

    # Requests.

    def let_in(self, path: str, authorization: str) -> None:
        """Refuse who is not the app, where there is one."""
        if self.app is None:
            return
        own = path.startswith("/app/") or path.endswith("/installation")
        if not (self.app.is_itself(authorization) if own else self.app.lets_in(authorization, self.repo)):
            raise RefusedError(401, "Bad credentials", status="401")

    def get_installation(self, **_: Any) -> Answer:
        if self.app is None:
            raise RefusedError(404, "Not Found", status="404")
        return 200, {**self.example("GET", "/installation"), "id": self.app.installation}, {}

    def post_token(self, path: str, body: Any) -> Answer:
        template = "/app/installations/{installation_id}/access_tokens"
        if self.app is None or path != template.format(installation_id=self.app.installation):
            raise RefusedError(404, "Not Found", status="404")
        if body["repositories"] != [self.repo]:
            raise RefusedError(422, "There is at least one repository that does not exist or is not accessible")
        example = self.examples.of("POST", template, 201)
        return 201, {**example, **self.app.new_token(body["repositories"])}, {}

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> Answer:
        if method == "POST" and path.startswith("/app/"):
            return self.post_token(path, body)
        if not path.startswith(f"/repos/{self.owner}/{self.repo}"):
            raise RefusedError(404, "Not Found", status="404")
        rest = path.removeprefix(f"/repos/{self.owner}/{self.repo}")
        for wanted, pattern, handler in _ROUTES:
            found = re.fullmatch(pattern, rest)
            if wanted == method and found:
                return handler(self, *(unquote(part) for part in found.groups()), query=query, body=body)
        raise RefusedError(404, "Not Found", status="404")

    def example(self, method: str, path: str, status: int = 200) -> Any:
        return self.examples.of(method, f"/repos/{{owner}}/{{repo}}{path}", status)

    def get_repository(self, **_: Any) -> Answer:
        merge, squash, rebase = self.allowed
        more = {"allow_merge_commit": merge, "allow_squash_merge": squash, "allow_rebase_merge": rebase}
        found = {**self.example("GET", ""), "default_branch": "main", "language": None, **more}
        for name in ("source", "parent", "template_repository"):  # of a fork, and not as described
            found.pop(name, None)
        return 200, found, {}

    def get_branch(self, name: str, **_: Any) -> Answer:
        sha = self.refs.get(f"refs/heads/{name}")
        if sha is None:
            raise RefusedError(404, "Branch not found", status="404")
        found = self.example("GET", "/branches/{branch}")
        found["name"], found["commit"]["sha"] = name, sha
        found["protection"]["required_status_checks"] = {"contexts": self.required, "checks": []}
        return 200, found, {}

    def get_rules(self, _branch: str, **_: Any) -> Answer:
        return 200, self.rules, {}

    def get_ref(self, name: str, **_: Any) -> Answer:
        sha = self.refs.get(f"refs/{name}")
        if sha is None:
            raise RefusedError(404, "Not Found", status="404")
        return 200, self._ref(f"refs/{name}", sha), {}

    def _ref(self, name: str, sha: str) -> dict[str, Any]:
        found = self.example("GET", "/git/ref/{ref}")
        found["ref"], found["object"]["sha"] = name, sha
        return found

    def get_matching_refs(self, name: str, **_: Any) -> Answer:
        return 200, [self._ref(ref, sha) for ref, sha in self.refs.items() if ref.startswith(f"refs/{name}")], {}

    def post_ref(self, body: Any, **_: Any) -> Answer:
        if body["ref"] in self.refs:
            raise RefusedError(422, "Reference already exists", status="422")
        if body["sha"] not in self.commits:
            raise RefusedError(422, "Object does not exist", status="422")
        self.refs[body["ref"]] = body["sha"]
        return 201, self._ref(body["ref"], body["sha"]), {}

    def delete_ref(self, name: str, **_: Any) -> Answer:
        if self.refs.pop(f"refs/{name}", None) is None:
            raise RefusedError(422, "Reference does not exist", status="422")
        return 204, None, {}

    def get_commit(self, sha: str, **_: Any) -> Answer:
        if sha not in self.commits:
            raise RefusedError(404, "Not Found", status="404")
        return 200, self._commit_answer(sha), {}

    def _commit_answer(self, sha: str) -> dict[str, Any]:
        commit = self.commits[sha]
        found = self.example("POST", "/git/commits", 201)
        parent = found["parents"][0]
        found.update(
            sha=sha,
            message=commit["message"],
            tree={**found["tree"], "sha": commit["tree"]},
            parents=[{**parent, "sha": one} for one in commit["parents"]],
        )
        return found

    def post_commit(self, body: Any, **_: Any) -> Answer:
        if body["tree"] not in self.trees:
            raise RefusedError(422, "Tree SHA does not exist", status="422")
        return 201, self._commit_answer(self._commit(body["tree"], body["parents"], body["message"])), {}

    def get_tree(self, sha: str, **_: Any) -> Answer:
        if sha not in self.trees:
            raise RefusedError(404, "Not Found", status="404")
        return 200, self._tree_answer(sha), {}

    def _tree_answer(self, sha: str) -> dict[str, Any]:
        entries = [
            {"path": name, "mode": mode, "type": "tree" if mode == TREE else "blob", "sha": one, "url": "https://x"}
            for name, (mode, one) in self.trees[sha].items()
        ]
        return {"sha": sha, "url": "https://x", "tree": entries, "truncated": False}

    def post_tree(self, body: Any, **_: Any) -> Answer:
        if body["base_tree"] not in self.trees:
            raise RefusedError(422, "base_tree is no tree", status="422")
        flat = self.flat(body["base_tree"])
        for entry in body["tree"]:
            flat[entry["path"]] = (entry["mode"], self._blob(entry["content"].encode()))
        return 201, self._tree_answer(self._tree(flat)), {}

    def list_pulls(self, query: dict[str, list[str]], **_: Any) -> Answer:
        head, state = query["head"][0], query["state"][0]
        found = [pull for pull in self.pulls if ":" not in head or head == f"{self.owner}:{pull.head_ref}"]
        shown = [
            self._pull_answer(pull, "/pulls", one=False) for pull in reversed(found) if state in {"all", pull.state}
        ]
        return 200, shown, {}

    def _pull_answer(self, pull: Pull, path: str, *, one: bool) -> dict[str, Any]:
        example = self.example("GET", path)
        found = example if one else example[0]
        label = found["labels"][0]
        found.update(
            number=pull.number,
            state=pull.state,
            title=pull.title,
            body=pull.body,
            merged_at=pull.merged_at,
            html_url=f"https://github.com/{self.owner}/{self.repo}/pull/{pull.number}",
            labels=[{**label, "name": name} for name in pull.labels],
            requested_teams=[],  # GitHub's example is not as described
        )
        found["head"].update(ref=pull.head_ref, sha=pull.head, label=f"{self.owner}:{pull.head_ref}")
        found["base"].update(ref=pull.base_ref, label=f"{self.owner}:{pull.base_ref}")
        if one:
            merged = pull.merged_at is not None
            found.update(
                merged=merged,
                mergeable=None if merged else self.mergeable,
                mergeable_state="unknown" if merged else self.mergeable_state,
            )
        return found

    def post_pull(self, body: Any, **_: Any) -> Answer:
        head, base = f"refs/heads/{body['head']}", f"refs/heads/{body['base']}"
        if head not in self.refs or base not in self.refs:
            raise RefusedError(422, "Validation Failed", errors=[{"resource": "PullRequest", "code": "invalid"}])
        for pull in self.pulls:
            if (pull.head_ref, pull.base_ref, pull.state) == (body["head"], body["base"], "open"):
                said = f"A pull request already exists for {self.owner}:{body['head']}."
                fault = {"resource": "PullRequest", "code": "custom", "message": said}
                raise RefusedError(422, "Validation Failed", errors=[fault])
        pull = Pull(
            number=len(self.pulls) + 1,
            title=body["title"],
            body=body["body"],
            head_ref=body["head"],
            head=self.refs[head],
            base_ref=body["base"],
            base=self.refs[base],
        )
        self.pulls.append(pull)
        return 201, self._pull_answer(pull, "/pulls/{pull_number}", one=True), {}

    def _pull(self, number: str) -> Pull:
        if not 0 < int(number) <= len(self.pulls):
            raise RefusedError(404, "Not Found", status="404")
        return self.pulls[int(number) - 1]

    def get_pull(self, number: str, **_: Any) -> Answer:
        return 200, self._pull_answer(self._pull(number), "/pulls/{pull_number}", one=True), {}

    def patch_pull(self, number: str, body: Any, **_: Any) -> Answer:
        pull = self._pull(number)
        pull.state = body["state"]
        return 200, self._pull_answer(pull, "/pulls/{pull_number}", one=True), {}

    def merge_pull(self, number: str, body: Any, **_: Any) -> Answer:
        pull = self._pull(number)
        if pull.state != "open" or not self.mergeable:
            raise RefusedError(405, "Pull Request is not mergeable")
        if pull.head != body["sha"]:
            raise RefusedError(409, "Head branch was modified. Review and try the merge again.")
        method = body.get("merge_method", "merge")
        if not dict(zip(("merge", "squash", "rebase"), self.allowed, strict=True))[method]:
            raise RefusedError(405, f"{method} is not allowed on this repository.")
        sha = self._merge(pull, method, body["commit_message"], "vertice")
        return 200, {"sha": sha, "merged": True, "message": "Pull Request successfully merged"}, {}

    def list_reviews(self, number: str, **_: Any) -> Answer:
        example = self.example("GET", "/pulls/{pull_number}/reviews")[0]
        return 200, [{**example, "body": body, "state": event} for event, body in self._pull(number).reviews], {}

    def post_review(self, number: str, body: Any, **_: Any) -> Answer:
        if not self.author_may_review:
            raise RefusedError(422, "Unprocessable Entity", errors=["Can not request changes on your own pull request"])
        self._pull(number).reviews.append((body["event"], body["body"]))
        example = self.example("POST", "/pulls/{pull_number}/reviews")
        return 200, {**example, "body": body["body"]}, {}

    def list_comments(self, number: str, query: dict[str, list[str]], **_: Any) -> Answer:
        example = self.example("GET", "/issues/{issue_number}/comments")[0]
        size, page = int(query["per_page"][0]), int(query["page"][0])
        shown = self._pull(number).comments[size * (page - 1) : size * page]
        return 200, [{**example, "body": body} for body in shown], {}

    def post_comment(self, number: str, body: Any, **_: Any) -> Answer:
        if len(body["body"]) > 65_536:
            raise RefusedError(422, "Validation Failed", errors=[{"resource": "IssueComment", "code": "unprocessable"}])
        self._pull(number).comments.append(body["body"])
        example = self.example("POST", "/issues/{issue_number}/comments", 201)
        return 201, {**example, "body": body["body"]}, {}

    def post_label(self, body: Any, **_: Any) -> Answer:
        if body["name"] in self.labels:
            fault = {"resource": "Label", "code": "already_exists", "field": "name"}
            raise RefusedError(422, "Validation Failed", errors=[fault])
        self.labels[body["name"]] = body["color"]
        return 201, {**self.example("POST", "/labels", 201), "name": body["name"], "color": body["color"]}, {}

    def add_labels(self, number: str, body: Any, **_: Any) -> Answer:
        pull = self._pull(number)
        for name in body["labels"]:
            self.labels.setdefault(name, "ededed")
        pull.labels = list(dict.fromkeys([*pull.labels, *body["labels"]]))
        example = self.example("POST", "/issues/{issue_number}/labels")[0]
        return 200, [{**example, "name": name} for name in pull.labels], {}

    def add_assignees(self, number: str, body: Any, **_: Any) -> Answer:
        pull = self._pull(number)
        pull.assignees = list(dict.fromkeys([*pull.assignees, *body["assignees"]]))
        return 201, self.example("POST", "/issues/{issue_number}/assignees", 201), {}

    def get_status(self, sha: str, **_: Any) -> Answer:
        found = self.example("GET", "/commits/{ref}/status")
        example = found["statuses"][0]
        last = {status["context"]: status for commit, status in self.statuses if commit == sha}
        shown = [{**example, **status} for status in last.values()]
        return 200, {**found, "sha": sha, "statuses": shown, "total_count": len(shown)}, {}

    def post_status(self, sha: str, body: Any, **_: Any) -> Answer:
        if len(body.get("description") or "") > 140:
            raise RefusedError(422, "description is too long (maximum is 140 characters)")
        words = ("context", "state", "description", "target_url")
        self.statuses.append((sha, {name: body.get(name) for name in words}))
        return 201, {**self.example("POST", "/statuses/{sha}", 201), "state": body["state"]}, {}

    def get_check_runs(self, _sha: str, **_: Any) -> Answer:
        example = self.example("GET", "/commits/{ref}/check-runs")["check_runs"][0]
        shown = [{**example, **check} for check in self.checks]
        return 200, {"total_count": len(shown), "check_runs": shown}, {}

    def list_runs(self, _workflow: str, **_: Any) -> Answer:
        found = self.example("GET", "/actions/workflows/{workflow_id}/runs")
        example = found["workflow_runs"][0]
        shown = [
            {**example, "id": number, "display_title": inputs["run"]} for number, inputs in enumerate(self.runs, 1)
        ]
        return 200, {"total_count": len(shown), "workflow_runs": shown}, {}

    def get_run(self, number: str, **_: Any) -> Answer:
        if not 0 < int(number) <= len(self.runs):
            raise RefusedError(404, "Not Found", status="404")
        ending = self.endings.get(int(number))
        found = self.example("GET", "/actions/runs/{run_id}")
        found.update(
            id=int(number),
            display_title=self.runs[int(number) - 1]["run"],
            status="completed" if ending else "in_progress",
            conclusion=ending,
        )
        return 200, found, {}

    def post_dispatch(self, workflow: str, body: Any, **_: Any) -> Answer:
        if workflow != "vertice-wargame.yml":
            raise RefusedError(404, "Not Found", status="404")
        self.runs.append(body["inputs"])
        number = len(self.runs)
        url = f"https://github.com/{self.owner}/{self.repo}/actions/runs/{number}"
        return 200, {"workflow_run_id": number, "run_url": url, "html_url": url}, {}

    def list_artifacts(self, run: str, **_: Any) -> Answer:
        example = self.example("GET", "/actions/runs/{run_id}/artifacts")["artifacts"][0]
        shown = [
            {**example, "id": number, "name": name, "expired": False} for number, name in enumerate(self.artifacts, 1)
        ]
        if int(run) in self.results:
            shown.append({**example, "id": _OF_ONE + int(run), "name": "vertice-wargame", "expired": False})
        return 200, {"total_count": len(shown), "artifacts": shown}, {}

    def get_artifact(self, number: str, **_: Any) -> Answer:
        return 302, None, {"location": f"{self.codeload}/codeload/artifact/{number}"}

    def artifact(self, number: int) -> bytes:
        """Return an artifact as it is downloaded."""
        return self.results[number - _OF_ONE] if number > _OF_ONE else list(self.artifacts.values())[number - 1]

    def get_tarball(self, sha: str, **_: Any) -> Answer:
        if sha not in self.commits:
            raise RefusedError(404, "Not Found", status="404")
        return 302, None, {"location": f"{self.codeload}/codeload/{sha}.tar.gz"}

    def packed(self, sha: str) -> bytes:
        """Return the archive of a commit as codeload gives it."""
        if self.archive is not None:
            return self.archive
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
            for path, (mode, blob) in self.flat(self.commits[sha]["tree"]).items():
                member = tarfile.TarInfo(f"{self.owner}-{self.repo}-{sha[:7]}/{path}")
                member.size, member.mode = len(self.blobs[blob]), int(mode[-3:], 8)
                archive.addfile(member, io.BytesIO(self.blobs[blob]))
        return buffer.getvalue()


_NAME = r"([^/]+)"
_ROUTES: list[tuple[str, str, Any]] = [
    ("GET", "", FakeGitHub.get_repository),
    ("GET", "/installation", FakeGitHub.get_installation),
    ("GET", f"/branches/{_NAME}", FakeGitHub.get_branch),
    ("GET", f"/rules/branches/{_NAME}", FakeGitHub.get_rules),
    ("GET", f"/git/ref/{_NAME}", FakeGitHub.get_ref),
    ("GET", f"/git/matching-refs/{_NAME}", FakeGitHub.get_matching_refs),
    ("POST", "/git/refs", FakeGitHub.post_ref),
    ("DELETE", f"/git/refs/{_NAME}", FakeGitHub.delete_ref),
    ("GET", f"/git/commits/{_NAME}", FakeGitHub.get_commit),
    ("POST", "/git/commits", FakeGitHub.post_commit),
    ("GET", f"/git/trees/{_NAME}", FakeGitHub.get_tree),
    ("POST", "/git/trees", FakeGitHub.post_tree),
    ("GET", "/pulls", FakeGitHub.list_pulls),
    ("POST", "/pulls", FakeGitHub.post_pull),
    ("GET", f"/pulls/{_NAME}", FakeGitHub.get_pull),
    ("PATCH", f"/pulls/{_NAME}", FakeGitHub.patch_pull),
    ("PUT", f"/pulls/{_NAME}/merge", FakeGitHub.merge_pull),
    ("GET", f"/pulls/{_NAME}/reviews", FakeGitHub.list_reviews),
    ("POST", f"/pulls/{_NAME}/reviews", FakeGitHub.post_review),
    ("GET", f"/issues/{_NAME}/comments", FakeGitHub.list_comments),
    ("POST", f"/issues/{_NAME}/comments", FakeGitHub.post_comment),
    ("POST", f"/issues/{_NAME}/labels", FakeGitHub.add_labels),
    ("POST", f"/issues/{_NAME}/assignees", FakeGitHub.add_assignees),
    ("POST", "/labels", FakeGitHub.post_label),
    ("POST", f"/statuses/{_NAME}", FakeGitHub.post_status),
    ("GET", f"/commits/{_NAME}/status", FakeGitHub.get_status),
    ("GET", f"/commits/{_NAME}/check-runs", FakeGitHub.get_check_runs),
    ("GET", f"/actions/workflows/{_NAME}/runs", FakeGitHub.list_runs),
    ("POST", f"/actions/workflows/{_NAME}/dispatches", FakeGitHub.post_dispatch),
    ("GET", f"/actions/runs/{_NAME}", FakeGitHub.get_run),
    ("GET", f"/actions/runs/{_NAME}/artifacts", FakeGitHub.list_artifacts),
    ("GET", f"/actions/artifacts/{_NAME}/zip", FakeGitHub.get_artifact),
    ("GET", f"/tarball/{_NAME}", FakeGitHub.get_tarball),
]


def handler_of(holder: Any) -> type[BaseHTTPRequestHandler]:
    """Return the HTTP side of `holder.github`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _do(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            raw = self.rfile.read(length)
            github: FakeGitHub = holder.github
            parts = urlsplit(self.path)
            github.seen.append((self.command, parts.path, {name.lower(): one for name, one in self.headers.items()}))
            if parts.path.startswith("/codeload/artifact/"):
                number = int(parts.path.split("/")[-1])
                self._send(200, github.artifact(number), {"content-type": "application/zip"})
                return
            if parts.path.startswith("/codeload/"):
                sha = parts.path.split("/")[-1].removesuffix(".tar.gz")
                self._send(200, github.packed(sha), {"content-type": "application/x-gzip"})
                return
            try:
                github.let_in(parts.path, self.headers.get("authorization", ""))
                status, answer, headers = github.answer(
                    self.command, parts.path, parse_qs(parts.query), json.loads(raw) if raw else None
                )
            except RefusedError as refusal:
                status, answer, headers = refusal.answer
            data = b"" if answer is None else json.dumps(answer).encode()
            kind = {} if answer is None else {"content-type": "application/json; charset=utf-8"}
            self._send(status, data, {**kind, **headers})

        def _send(self, status: int, data: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if status != 204:
                self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _do  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    return Handler
