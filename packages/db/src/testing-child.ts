// A process that tests start and kill. Each of its lines of JSON says what it did.
import { DirectoryHeldError, lockDirectory } from './lock.ts';
import { openDatabase } from './open.ts';
import { insertSteps } from './step.ts';
import { aStep, begin, NOW } from './testing-data.ts';

const [act, dataDir = ''] = process.argv.slice(2);
const tell = (fact: object) => process.stdout.write(`${JSON.stringify(fact)}\n`);

try {
  if (act === 'lock') await lock();
  else await insert();
} catch (error) {
  if (!(error instanceof DirectoryHeldError)) throw error;
  tell({ refused: { pid: error.pid, url: error.url } });
  process.exit();
}

async function lock(): Promise<void> {
  const lock = await lockDirectory(dataDir);
  lock.announce(`http://127.0.0.1/${process.pid}`);
  tell({ locked: process.pid });
  setInterval(() => {}, 1000); // the lock keeps no process alive
}

/** Inserts batches until it is killed, and tells of each once it is acknowledged. */
async function insert(): Promise<void> {
  tell({ opening: process.pid });
  const db = await openDatabase({ dataDir });
  const run = await begin(db);
  for (let batch = 0; ; batch++) {
    const steps = Array.from({ length: 16 }, (_, at) => aStep(batch * 16 + at, { loss: batch }));
    await insertSteps(db, [{ run, attempt: 1, steps }], NOW);
    tell({ run, acknowledged: batch * 16 + 15 });
  }
}
