#!/usr/bin/env bash
# lightning 2.6.6: a training that gets SIGTERM (a preempted node, `kubectl delete`, `scancel`) stops in the middle of its
# epoch and its process exits with status 0. `fit` does not return: it raises SIGTERMException, which is a SystemExit
# without a status. Callbacks see `on_exception`, and neither `on_train_end` nor `teardown`; `except Exception` around `fit`
# does not catch it, and a process that watches the exit status, such as a Kubernetes Job or a shell's `&&`, takes the half
# of a training for a whole one. The same loop without Lightning ends with status 143.
# A good guess is 143, or any status that is not 0, since the work was not done.
#
# Seen with Python 3.11 on Linux, torch 2.13.0; the output of this script:
#   lightning: step 0, step 1, step 2, on_exception SystemExit; status 0
#   plain: step 0, step 1, step 2; status 143
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet torch==2.13.0
env/bin/pip install --quiet lightning==2.6.6
cat >train.py <<'PY'
import os
import signal
import sys

import lightning
import torch

STEPS = 8
batches = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.ones(STEPS, 4)))


def say(what):
    print(what, file=seen, flush=True)


class Model(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(4, 1)

    def training_step(self, batch, index):
        say(f"step {index}")
        if index == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return self.linear(batch[0]).mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Watch(lightning.Callback):
    def on_exception(self, trainer, module, exception):
        say(f"on_exception {type(exception).__base__.__name__}")

    def on_train_end(self, trainer, module):
        say("on_train_end")

    def teardown(self, trainer, module, stage):
        say("teardown")


how, seen = sys.argv[1], open(sys.argv[2], "w")
if how == "plain":
    model = Model()
    for index, batch in enumerate(batches):
        model.training_step(batch, index).backward()
else:
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
    lightning.Trainer(max_epochs=1, accelerator="cpu", callbacks=[Watch()], **quiet).fit(Model(), batches)
say("the end")
PY
for how in lightning plain; do
  status=0
  env/bin/python train.py "$how" steps >log.txt 2>&1 || status=$?
  echo "$how: $(paste -sd, steps | sed 's/,/, /g'); status $status"
done | tee seen
diff <(sed -n 's/^#   //p' "$script") seen
