"""Lightning: `python lightning_trainer.py [--ramp]`."""

from __future__ import annotations

from typing import Any

import tiny_gpt2
import torch
from lightning.pytorch import LightningModule, Trainer

from evenkeel.integrations.lightning import EvenkeelCallback, EvenkeelLogger

options = tiny_gpt2.flags(__doc__).parse_args()
text = tiny_gpt2.corpus()


class Module(LightningModule):
    def __init__(self, steps: int, ramp: bool) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.model = tiny_gpt2.model()

    def training_step(self, tokens: torch.Tensor, at: int) -> torch.Tensor:
        return self.model(tokens, labels=tokens).loss

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=tiny_gpt2.PEAK, weight_decay=0.1)
        scheduler = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: tiny_gpt2.rate(step, self.hparams.steps, self.hparams.ramp)
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


batches = [
    tiny_gpt2.batch(text, options.batch, seed=at) for at in range(options.steps * options.micro_batches)
]  # each [B, T]
logger = EvenkeelLogger(
    "examples", name="lightning" + ", ramp" * options.ramp, dir=options.checkpoints, policy=tiny_gpt2.POLICY
)
trainer = Trainer(
    accelerator="cpu",
    max_steps=options.steps,
    accumulate_grad_batches=options.micro_batches,
    gradient_clip_val=1.0,
    default_root_dir=options.checkpoints,
    enable_progress_bar=False,
    enable_checkpointing=False,
    logger=logger,
    callbacks=[EvenkeelCallback()],
)
trainer.fit(Module(options.steps, options.ramp), torch.utils.data.DataLoader(batches, batch_size=None))
print(f"ended at step {trainer.global_step}")
logger.run.finish()
