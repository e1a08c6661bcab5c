#!/usr/bin/env bash
# wandb 0.31.0 with a WANDB_BASE_URL that has a path, as behind a proxy that serves several tools: the run, its files and all
# telemetry of the Python process go to URLs below that path. So does the empty request by which the service process
# (wandb-core) asks whether telemetry is accepted. But the service then sends metrics and logs to the root of the host,
# which may be another tool's. They do not carry the API key.
# A good guess is that what was probed is the URL that is used, and that nothing is sent outside of the base URL.
# A server below a path never receives that telemetry; whoever owns the root sees requests that no one there expects.
#
# Seen with Python 3.11 on Linux, a server that accepts everything, and the base URL http://127.0.0.1:PORT/prefix; the output
# of this script:
#   run: /prefix/files/lab/project/run/file_stream with the key, /prefix/graphql with the key, /prefix/upload
#   telemetry of Python, probe: /prefix/sdk/otel/v1/metrics
#   telemetry of Python, data: /prefix/sdk/otel/v1/metrics
#   telemetry of the service, probe: /prefix/sdk/otel/v1/metrics
#   telemetry of the service, data: /sdk/otel/v1/logs, /sdk/otel/v1/metrics
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet wandb==0.31.0
cat >log.py <<'PY'
import wandb

with wandb.init(project="project", id="run", mode="online") as run:
    for step in range(5):
        run.log({"loss": 1 / (step + 1)})
PY
cat >serve.py <<'PY'
import json
import os
import re
import subprocess
import sys
import threading
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PREFIX = "/prefix"
PROJECT = {"id": "project", "name": "project", "entity": {"id": "lab", "name": "lab"}}
BUCKET = {"id": "run", "name": "run", "displayName": "run", "config": "{}", "historyLineCount": 0, "project": PROJECT}
VIEWER = {"id": "user", "entity": "lab", "username": "user", "flags": "{}", "teams": {"edges": []}}
ANSWERS = {
    "Viewer": {"viewer": VIEWER},
    "UpsertBucket": {"upsertBucket": {"inserted": True, "bucket": BUCKET}},
    "ServerFeaturesQuery": {"serverInfo": {"features": []}},
}
paths = defaultdict(set)


def kind(path, agent, body):
    if "/otel/" not in path:
        return "run"
    process = "Python" if "python" in agent.lower() else "the service"
    return f"telemetry of {process}, {'data' if body else 'probe'}"


class Handler(BaseHTTPRequestHandler):
    def answer(self):
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        key = " with the key" if self.headers["Authorization"] else ""
        paths[kind(self.path, self.headers["User-Agent"], body)].add(self.path + key)
        reply = self.graphql(json.loads(body)) if self.path.endswith("/graphql") else {}
        content = json.dumps(reply).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def graphql(self, request):
        operation = re.search(r"(?:query|mutation)\s+(\w+)", request["query"])[1]
        if operation == "CreateRunFiles":
            files = [{"name": name, "uploadUrl": base_url + "/upload"} for name in request["variables"]["files"]]
            return {"data": {"createRunFiles": {"runID": "run", "uploadHeaders": [], "files": files}}}
        if operation in ANSWERS:
            return {"data": ANSWERS[operation]}
        return {"errors": [{"message": f"no {operation} here"}]}

    do_POST = do_PUT = answer

    def log_message(self, *_):
        pass


with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
    base_url = f"http://127.0.0.1:{server.server_port}{PREFIX}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    env = {"WANDB_BASE_URL": base_url, "WANDB_API_KEY": "k" * 40, "HOME": os.getcwd(), "NO_PROXY": "127.0.0.1"}
    # The service process inherits the output: reading to its end waits for the service too.
    subprocess.run([sys.executable, "log.py"], env={"PATH": os.environ["PATH"], **env}, capture_output=True, check=True)
    server.shutdown()
for title in ["run"] + [f"telemetry of {p}, {k}" for p in ("Python", "the service") for k in ("probe", "data")]:
    print(f"{title}: {', '.join(sorted(paths[title]))}")
PY
env/bin/python serve.py | tee seen
sed -n 's/^#   \(.*: \/.*\)$/\1/p' "$script" >expected
diff expected seen
