#!/usr/bin/env bash
# clearml 2.1.12: a scalar that is NaN, Infinity or -Infinity is stored as 0.0, with one notice per kind on the console and
# no mark in what is stored, also in an offline session. So a loss that became NaN is the lowest point of its chart, and
# `min(loss)` over runs names the run that diverged. A good guess is that the value is kept, as a number or as a text, or
# that the point is left out.
# A value without a step (`report_single_value`) lies at iteration -2147483648, the lowest 32-bit number, under the metric
# `Summary`: whoever takes the lowest step of a run finds that.
#
# Seen with Python 3.11 on Linux; the output of this script:
#   loss: 0 1.0, 1 0.0, 2 0.0, 3 0.0, 4 2.0
#   final: -2147483648 0.5
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet clearml==2.1.12
cat >log.py <<'PY'
from clearml import Task

Task.set_offline(True)
task = Task.init(
    project_name="project", task_name="task", auto_connect_frameworks=False, auto_resource_monitoring=False
)
logger = task.get_logger()
for step, loss in enumerate([1.0, float("nan"), float("inf"), float("-inf"), 2.0]):
    logger.report_scalar("loss", "train", loss, step)
logger.report_single_value("final", 0.5)
with open("session", "w") as file:
    file.write(str(task.get_offline_mode_folder()))
task.close()
PY
cat >read.py <<'PY'
import json

with open(open("session").read() + "/metrics.jsonl") as file:
    events = [event for line in file if line.strip() for event in json.loads(line)]
for metric, variant, title in [("loss", "train", "loss"), ("Summary", "final", "final")]:
    points = [(e["iter"], e["value"]) for e in events if (e["metric"], e["variant"]) == (metric, variant)]
    print(title + ": " + ", ".join(f"{step} {value}" for step, value in sorted(points)))
PY
env HOME="$folder" CLEARML_CACHE_DIR="$folder/cache" env/bin/python log.py >log.txt 2>&1
env/bin/python read.py >seen.txt
cat seen.txt
diff <(sed -n 's/^#   //p' "$script") seen.txt
