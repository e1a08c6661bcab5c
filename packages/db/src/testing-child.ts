// A process that tests start and kill. Each of its lines of JSON says what it did.
import { DirectoryHeldError, lockDirectory } from './drivers/lock.ts';
import { openDatabase } from './open.ts';
import { aStep, begin, NOW } from './testing-data.ts';
import { insertSteps } from './writes/step.ts';

const [act, dataDir = ''] = process.argv.slice(2);
const report = (fact: object) => process.stdout.write(`${JSON.stringify(fact)}\n`);

try {
  if (act === 'lock') await lock();
  else await insert();
} catch (error) {
  if (!(error instanceof DirectoryHeldError)) throw error;
  report({ refused: { pid: error.pid, url: error.url } });
  process.exit();
}

async function lock(): Promise<void> {
  const lock = await lockDirectory(dataDir);
  lock.announce(`http://127.0.0.1/${process.pid}`);
  report({ locked: process.pid });
  setInterval(() => {}, 1000); // the lock keeps no process alive
}

/** Inserts batches until it is killed, and reports each once it is acknowledged. */
async function insert(): Promise<void> {
  report({ opening: process.pid });
  const db = await openDatabase({ dataDir });
  const run = await begin(db);
  for (let batch = 0; ; batch++) {
    const steps = Array.from({ length: 16 }, (_, at) => aStep(batch * 16 + at, { loss: batch }));
    await insertSteps(db, [{ run, attempt: 1, steps }], NOW);
    report({ run, acknowledged: batch * 16 + 15 });
  }
}
