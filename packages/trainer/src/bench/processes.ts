import { type ExecFileException, execFile } from 'node:child_process';
import type { BackendName } from '../config.ts';
import type { BackendTimes } from './measure.ts';
import { TORCH_STEP } from './torch-step.ts';
import { type StepTime, TIME_FOR_STEPS, type Workload } from './workload.ts';

/** The reason for missing times. */
export interface Absent {
  absent: string;
}

export interface TorchTimes extends StepTime {
  version: string;
}

/** Times one backend in a process of its own: some cannot be loaded together, or crash the process. */
export async function measureApart(backend: BackendName, command: readonly string[]): Promise<BackendTimes | Absent> {
  const args = [...process.execArgv, process.argv[1] as string, ...command, '--backend', backend, '--json'];
  const result = await runJson<{ backends: [BackendTimes] }>(process.execPath, args);
  return 'absent' in result ? result : result.backends[0];
}

export function measureTorch(workload: Workload): Promise<TorchTimes | Absent> {
  return runJson('python3', ['-c', TORCH_STEP, JSON.stringify({ ...workload, seconds: TIME_FOR_STEPS })]);
}

/** The JSON that a program prints, or the last line of its errors. */
function runJson<T>(program: string, args: readonly string[]): Promise<T | Absent> {
  return new Promise((resolve) => {
    execFile(program, args, (error, output, errors) => {
      resolve(error ? { absent: reasonOf(error, errors) } : (JSON.parse(output) as T));
    });
  });
}

function reasonOf({ code, signal }: ExecFileException, errors: string): string {
  if (code === 'ENOENT') return 'the program is not installed';
  const last = errors.trim().split('\n').at(-1) ?? '';
  return last.replace(/^error: /, '') || `it ended with ${signal ?? `code ${code}`}`;
}
