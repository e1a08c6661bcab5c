'use client';

import { Button, CopyButton } from '@mantine/core';
import { useSyncExternalStore } from 'react';
import classes from './getting-started.module.css';

const KEY = 'YOUR-INGEST-KEY';

/** What the board shows before the first run; it gives way by itself when one starts. */
export function GettingStarted() {
  const server = useSyncExternalStore(
    () => () => {},
    () => window.location.origin,
    () => '',
  );
  const flag = server && ` --server ${server}`;
  return (
    <article className={classes.page}>
      <h1>No runs yet</h1>
      <p>
        Start one and it shows up here with its first step; there is nothing to reload. The commands run in the folder
        that Evenkeel was cloned to.
      </p>
      <h2>Train a small GPT-2 on this machine</h2>
      <Copyable text={`npx evenkeel train${flag}`} />
      <h2>Train one whose learning rate rises until it diverges, and see the warning</h2>
      <Copyable text={`npx evenkeel train --name unstable --schedule ramp${flag}`} />
      <h2>Send the runs of a script that logs to Weights &amp; Biases, unchanged</h2>
      <Copyable text={`export WANDB_BASE_URL=${server}/wandb\nexport WANDB_API_KEY=${KEY}`} />
      <h2>Send those of one that logs to MLflow</h2>
      <Copyable text={`export MLFLOW_TRACKING_URI=${server}/mlflow\nexport MLFLOW_TRACKING_TOKEN=${KEY}`} />
      <p>
        <code>npx evenkeel key create NAME</code> prints a key; a server without keys takes any of 40 characters.
      </p>
      <h2>Follow the files of a job that runs already: TensorBoard, W&amp;B, CSV, JSON lines, text logs</h2>
      <Copyable text={`npx evenkeel watch DIR${flag}`} />
      <h2>Watch your own training loop</h2>
      <p>
        In your trainer’s folder, after <code>npm install PATH-OF-EVENKEEL/packages/emit</code>:
      </p>
      <Copyable text={emitExample(server)} />
    </article>
  );
}

function Copyable({ text }: { text: string }) {
  return (
    <div className={classes.copyable}>
      <pre>
        <code>{text}</code>
      </pre>
      <CopyButton value={text}>
        {({ copied, copy }) => (
          <Button variant="subtle" size="compact-xs" onClick={copy} aria-live="polite">
            {copied ? 'Copied' : 'Copy'}
          </Button>
        )}
      </CopyButton>
    </div>
  );
}

function emitExample(server: string): string {
  return `import { startRun } from '@evenkeel/emit';

const run = await startRun({
  server: '${server}',
  project: 'mine',
  name: 'first',
});
for (let step = 1; step <= steps && !run.signal.aborted; step++) {
  const { loss, tevMean, gradNorm } = trainOneStep();
  run.log({ step, loss, tevMean, gradNorm });
}
await run.finish('finished');`;
}
