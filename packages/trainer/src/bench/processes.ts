import { type ExecFileException, execFile } from 'node:child_process';
import type { BackendName } from '../config.ts';
import type { BackendTimes } from './measure.ts';
import { TORCH_STEP } from './torch-step.ts';
import { type StepTime, TIME_FOR_STEPS, type Workload } from './workload.ts';

/** Why there are no times. */
export interface Absent {
  absent: string;
}

export interface TorchTimes extends StepTime {
  version: string;
}

/** Times one backend in a process of its own: some cannot be loaded beside each other, or end the process. */
export async function measureApart(backend: BackendName, command: readonly string[]): Promise<BackendTimes | Absent> {
  const args = [...process.execArgv, process.argv[1] as string, ...command, '--backend', backend, '--json'];
  const result = await printedBy<{ backends: [BackendTimes] }>(process.execPath, args);
  return 'absent' in result ? result : result.backends[0];
}

export function measureTorch(workload: Workload): Promise<TorchTimes | Absent> {
  return printedBy('python3', ['-c', TORCH_STEP, JSON.stringify({ ...workload, seconds: TIME_FOR_STEPS })]);
}

/** What a program prints as JSON, or the last line of what it complains of. */
function printedBy<T>(program: string, args: readonly string[]): Promise<T | Absent> {
  return new Promise((resolve) => {
    execFile(program, args, (error, printed, complaints) => {
      resolve(error ? { absent: reasonOf(error, complaints) } : (JSON.parse(printed) as T));
    });
  });
}

function reasonOf({ code, signal }: ExecFileException, complaints: string): string {
  if (code === 'ENOENT') return 'the program is not installed';
  const last = complaints.trim().split('\n').at(-1) ?? '';
  return last.replace(/^error: /, '') || `it ended with ${signal ?? `code ${code}`}`;
}
