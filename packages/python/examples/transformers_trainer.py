"""The Trainer of transformers: `python transformers_trainer.py [--ramp]`."""

from __future__ import annotations

import tiny_gpt2
import torch
from transformers import Trainer, TrainingArguments

from evenkeel.integrations.transformers import EvenkeelCallback

options = tiny_gpt2.flags(__doc__).parse_args()
text = tiny_gpt2.corpus()
model = tiny_gpt2.model()
optimizer = torch.optim.AdamW(model.parameters(), lr=tiny_gpt2.PEAK, weight_decay=0.1)
scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: tiny_gpt2.rate(step, options.steps, options.ramp))


class Sequences(torch.utils.data.Dataset):
    def __len__(self) -> int:
        return options.steps * options.batch * options.micro_batches

    def __getitem__(self, at: int) -> dict[str, torch.Tensor]:
        (tokens,) = tiny_gpt2.batch(text, 1, seed=at)
        return {"input_ids": tokens, "labels": tokens}


trainer = Trainer(
    model,
    TrainingArguments(
        output_dir=options.checkpoints,
        max_steps=options.steps,
        per_device_train_batch_size=options.batch,
        gradient_accumulation_steps=options.micro_batches,
        save_strategy="no",
        logging_steps=20,
        report_to=[],
        disable_tqdm=True,
    ),
    train_dataset=Sequences(),
    optimizers=(optimizer, scheduler),
    callbacks=[
        EvenkeelCallback("examples", name="transformers" + ", ramp" * options.ramp, policy=tiny_gpt2.POLICY),
    ],
)
trainer.train()
print(f"ended at step {trainer.state.global_step}")
