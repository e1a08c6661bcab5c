#!/usr/bin/env bash
# comet_ml 3.58.8: an offline experiment whose process is killed leaves a valid zip file without a single entry in its
# offline directory, while every metric lies in a temporary folder with a random name that names neither the experiment nor
# its project. `experiment.json` is written at the end only, so nothing but the process knew which run the messages
# are of. Until the end of a run that lives it is the same: whoever follows the offline directory sees nothing.
# A good guess is that the offline directory holds what was logged, whole or in part.
# Also seen in the messages of a run that ended well: NaN and Infinity are strings, a fractional step is kept, a metric
# without a step takes the step that was named last, also where that was a smaller one, and each change of the step writes
# a parameter `curr_step` beside it, so up to half of the lines are no metrics.
#
# Seen with Python 3.11 on Linux; the output of this script:
#   killed: 0 entries in the zip, 500 of 500 metrics in a temporary folder, 0 lines there name the experiment
#   ended: step 3 "NaN", step 2.5 1.0, step 1 2.0, step 1 3.0, 3 of 7 lines are curr_step
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet comet_ml==3.58.8
cat >log.py <<'PY'
import os
import sys
import time

import comet_ml

how = sys.argv[1]
experiment = comet_ml.OfflineExperiment(
    project_name="project",
    workspace="workspace",
    offline_directory=how,
    log_code=False,
    log_env_details=False,
    auto_output_logging=False,
)
if how == "killed":
    for step in range(500):
        experiment.log_metric("loss", 1.0 / (step + 1), step=step)
    time.sleep(5)  # its writer is a thread
    print(experiment.get_key(), flush=True)
    os.kill(os.getpid(), 9)
experiment.log_metric("loss", float("nan"), step=3)
experiment.log_metric("loss", 1.0, step=2.5)
experiment.log_metric("loss", 2.0, step=1)
experiment.log_metric("loss", 3.0)
experiment.end()
PY
cat >read.py <<'PY'
import glob
import json
import sys
import zipfile


def entries(how):
    with zipfile.ZipFile(glob.glob(how + "/*.zip")[0]) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


(left,) = glob.glob("temporary/*/messages.json")
lines = open(left).read().splitlines()
losses = sum('"metricName":"loss"' in line for line in lines)
naming = sum(sys.argv[1] in line for line in lines)
print(
    f"killed: {len(entries('killed'))} entries in the zip, {losses} of 500 metrics in a temporary folder,"
    f" {naming} lines there name the experiment"
)
payloads = [json.loads(line)["payload"] for line in entries("ended")["messages.json"].splitlines()]
metrics = [payload["metric"] for payload in payloads if payload.get("metric", {}).get("metricName") == "loss"]
steps = [payload for payload in payloads if payload.get("param", {}).get("paramName") == "curr_step"]
seen = ", ".join(f"step {metric['step']} {json.dumps(metric['metricValue'])}" for metric in metrics)
print(f"ended: {seen}, {len(steps)} of {len(metrics) + len(steps)} lines are curr_step")
PY
export HOME=$folder TMPDIR=$folder/temporary COMET_LOGGING_CONSOLE=critical
mkdir temporary
key=$(env/bin/python log.py killed || true)
cp -r temporary kept
env/bin/python log.py ended >/dev/null 2>&1
rm -rf temporary && mv kept temporary
env/bin/python read.py "$key" | tee seen
sed -n 's/^#   \(.*: .*\)$/\1/p' "$script" >expected
diff expected seen
