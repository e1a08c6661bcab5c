"""One of several processes that train together: `trainer_rank.py SERVER FOLDER`. Rank 0 is sent a stop at step 2."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from server import Server
from test_transformers import AtStep, arguments, trainer
from tiny import Person

from evenkeel.integrations.transformers import EvenkeelCallback

url, folder = sys.argv[1], Path(sys.argv[2])
rank = os.environ["RANK"]
server = Server(folder)
server.url = url
watching = EvenkeelCallback("transformers", server=url)
send = AtStep(2, lambda: Person(server, "stop").send(watching.run))
training = trainer(watching, arguments(folder), *([send] if rank == "0" else []))
training.train()
assert watching.run is not None
(folder / f"{rank}.json").write_text(json.dumps({"step": training.state.global_step, "run": watching.run.id}))
