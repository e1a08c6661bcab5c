#!/usr/bin/env bash
# wandb checks the form of an API key itself, and which keys pass depends on the version and on how the key is given:
# - 0.31.0 counts only the characters after the first dash, and wants 40 or more of them: it takes what stands before for
#   the prefix of an on-premises key. A key of 43 characters as `secrets.token_urlsafe(32)` makes them is refused where its
#   first dash comes after the third character: 44% of 100,000 such keys.
# - 0.21.4 checks nothing in WANDB_API_KEY, but its `wandb login` wants exactly 40 characters, after a dash if there is one.
#   So a key by which one can train is refused at the login.
# A good guess is that a key is opaque to the client and the server decides, or that one client has one rule. A key of 40
# letters and digits passes everywhere.
#
# Seen with Python 3.11 on Linux and a server that accepts every key; the output of this script:
#   0.31.0, 40 letters: login yes, WANDB_API_KEY yes
#   0.31.0, 43 letters: login yes, WANDB_API_KEY yes
#   0.31.0, 43 letters, the 3rd a dash: login yes, WANDB_API_KEY yes
#   0.31.0, 43 letters, the 4th a dash: login no, WANDB_API_KEY no
#   0.21.4, 40 letters: login yes, WANDB_API_KEY yes
#   0.21.4, 43 letters: login no, WANDB_API_KEY yes
#   0.21.4, 43 letters, the 3rd a dash: login yes, WANDB_API_KEY yes
#   0.21.4, 43 letters, the 4th a dash: login no, WANDB_API_KEY yes
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
for version in 0.31.0 0.21.4; do
  python3 -m venv "$version"
  "$version/bin/pip" install --quiet "wandb==$version"
done
cat >log.py <<'PY'
import wandb

with wandb.init(project="project", id="run", mode="online") as run:
    run.log({"loss": 1})
PY
cat >keys.py <<'PY'
import json
import os
import re
import subprocess
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEYS = {
    "40 letters": "k" * 40,
    "43 letters": "k" * 43,
    "43 letters, the 3rd a dash": "kk-" + "k" * 40,
    "43 letters, the 4th a dash": "kkk-" + "k" * 39,
}
PROJECT = {"id": "project", "name": "project", "entity": {"id": "lab", "name": "lab"}}
BUCKET = {"id": "run", "name": "run", "displayName": "run", "config": "{}", "historyLineCount": 0, "project": PROJECT}
ANSWERS = {
    "Viewer": {"viewer": {"id": "user", "entity": "lab", "username": "user", "flags": "{}", "teams": {"edges": []}}},
    "UpsertBucket": {"upsertBucket": {"inserted": True, "bucket": BUCKET}},
    "ServerFeaturesQuery": {"serverInfo": {"features": []}},
    "CreateRunFiles": {"createRunFiles": {"runID": "run", "uploadHeaders": [], "files": []}},
}


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        content = json.dumps(self.graphql(json.loads(body)) if self.path == "/graphql" else {}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def graphql(self, request):
        operation = re.search(r"(?:query|mutation)\s+(\w+)", request["query"])[1]
        if operation in ANSWERS:
            return {"data": ANSWERS[operation]}
        return {"errors": [{"message": f"no {operation} here"}]}

    def log_message(self, *_):
        pass


def passes(*command, **env):
    with tempfile.TemporaryDirectory() as home:
        env |= {"PATH": os.environ["PATH"], "HOME": home, "WANDB_DIR": home, "NO_PROXY": "127.0.0.1"}
        ended = subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if ended.returncode == 0:
        return "yes"
    return "no" if "API key must" in ended.stdout else ended.stdout


with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    for version in ["0.31.0", "0.21.4"]:
        for title, key in KEYS.items():
            login = passes(f"{version}/bin/wandb", "login", key, WANDB_BASE_URL=url)
            variable = passes(f"{version}/bin/python", "log.py", WANDB_BASE_URL=url, WANDB_API_KEY=key)
            print(f"{version}, {title}: login {login}, WANDB_API_KEY {variable}", flush=True)
    server.shutdown()
PY
python3 keys.py | tee seen
sed -n 's/^#   \(.*: login .*\)$/\1/p' "$script" >expected
diff expected seen
