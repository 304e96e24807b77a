// Cuts GitHub's description of its API down to the requests that Vértice makes, as they are in the version of the API
// that it asks for: node cut.mjs api.github.com.json VERSION OUT. The whole is 13 MB, and slow to start with.
import { readFileSync, writeFileSync } from "node:fs";

const USED = {
  "/app/installations/{installation_id}/access_tokens": ["post"],
  "/repos/{owner}/{repo}": ["get"],
  "/repos/{owner}/{repo}/actions/runs/{run_id}": ["get"],
  "/repos/{owner}/{repo}/actions/runs/{run_id}/artifacts": ["get"],
  "/repos/{owner}/{repo}/actions/workflows/{workflow_id}/dispatches": ["post"],
  "/repos/{owner}/{repo}/actions/workflows/{workflow_id}/runs": ["get"],
  "/repos/{owner}/{repo}/branches/{branch}": ["get"],
  "/repos/{owner}/{repo}/commits/{ref}/check-runs": ["get"],
  "/repos/{owner}/{repo}/commits/{ref}/status": ["get"],
  "/repos/{owner}/{repo}/git/commits": ["post"],
  "/repos/{owner}/{repo}/git/commits/{commit_sha}": ["get"],
  "/repos/{owner}/{repo}/git/matching-refs/{ref}": ["get"],
  "/repos/{owner}/{repo}/git/ref/{ref}": ["get"],
  "/repos/{owner}/{repo}/git/refs": ["post"],
  "/repos/{owner}/{repo}/git/refs/{ref}": ["delete"],
  "/repos/{owner}/{repo}/git/trees": ["post"],
  "/repos/{owner}/{repo}/git/trees/{tree_sha}": ["get"],
  "/repos/{owner}/{repo}/installation": ["get"],
  "/repos/{owner}/{repo}/issues/{issue_number}/assignees": ["post"],
  "/repos/{owner}/{repo}/issues/{issue_number}/comments": ["get", "post"],
  "/repos/{owner}/{repo}/issues/{issue_number}/labels": ["post"],
  "/repos/{owner}/{repo}/labels": ["post"],
  "/repos/{owner}/{repo}/pulls": ["get", "post"],
  "/repos/{owner}/{repo}/pulls/{pull_number}": ["get", "patch"],
  "/repos/{owner}/{repo}/pulls/{pull_number}/merge": ["put"],
  "/repos/{owner}/{repo}/pulls/{pull_number}/reviews": ["get", "post"],
  "/repos/{owner}/{repo}/rules/branches/{branch}": ["get"],
  "/repos/{owner}/{repo}/statuses/{sha}": ["post"],
};
const CHANGES = "x-github-breaking-changes";

const [source, version, out] = process.argv.slice(2);
const whole = JSON.parse(readFileSync(source, "utf8"));

// Changes are written as JSON Patch (RFC 6902, a list) or as JSON Merge Patch (RFC 7396, an object).
function apply(target, { op, path, value }) {
  const parts = path.split("/").slice(1).map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
  const last = parts.pop();
  const parent = parts.reduce((node, part) => node?.[part], target);
  if (parent === undefined || Array.isArray(parent)) throw new Error(`cannot ${op} at ${path}`);
  if (op === "remove") delete parent[last];
  else parent[last] = value;
}

function merge(target, change) {
  for (const [name, value] of Object.entries(change)) {
    if (value === null) delete target[name];
    else if (typeof value === "object" && !Array.isArray(value)) merge((target[name] ??= {}), value);
    else target[name] = value;
  }
}

function asOf(node) {
  if (node === null || typeof node !== "object") return;
  const changes = (node[CHANGES] ?? []).filter((change) => change.version <= version);
  delete node[CHANGES];
  for (const { patch } of changes) {
    if (Array.isArray(patch)) patch.forEach((one) => apply(node, one));
    else merge(node, patch);
  }
  Object.values(node).forEach(asOf);
}

const paths = {};
for (const [path, methods] of Object.entries(USED)) {
  const kept = Object.entries(whole.paths[path]).filter(([name]) => methods.includes(name) || name === "parameters");
  if (kept.length < methods.length) throw new Error(`${path} has not all of ${methods}`);
  paths[path] = Object.fromEntries(kept);
}
asOf(paths);

const components = {};
function gather(node) {
  if (node === null || typeof node !== "object") return;
  if (typeof node.$ref === "string") {
    const [kind, name] = node.$ref.split("/").slice(2);
    components[kind] ??= {};
    if (!(name in components[kind])) {
      components[kind][name] = whole.components[kind][name];
      asOf(components[kind][name]);
      gather(components[kind][name]);
    }
  }
  Object.values(node).forEach(gather);
}
gather(paths);

writeFileSync(out, JSON.stringify({ openapi: whole.openapi, info: whole.info, servers: whole.servers, paths, components }));
