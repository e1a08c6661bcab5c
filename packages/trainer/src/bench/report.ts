import { textTable } from '@evenkeel/terminal';
import type { BackendName } from '../config.ts';
import type { BackendTimes } from './measure.ts';
import type { Absent, TorchTimes } from './processes.ts';
import { flopPerStep, MICRO_BATCHES, type StepTime, tokensPerStep, type Workload } from './workload.ts';

/** Everything that was measured. */
export interface Bench {
  workload: Workload;
  backends: ({ backend: BackendName } & (BackendTimes | Absent))[];
  torch: TorchTimes | Absent;
}

const ALIGNMENT = ['left', 'right', 'right', 'right', 'right', 'right'] as const;

/** The lines of the report. */
export function reportOf({ workload, backends, torch }: Bench): string[] {
  const timed = backends.filter((times) => 'cpuMs' in times);
  const wasm = timed.find(({ backend }) => backend === 'wasm');
  const rows = [...backends, { backend: torchName(torch), ...torch }].map((times) => [
    times.backend,
    ...('absent' in times ? [times.absent] : cells(times, workload)),
  ]);
  return [
    ...description(workload, timed[0]?.parameters),
    '',
    ...textTable([['', 'wall ms', 'CPU ms', 'tokens/s', 'GFLOP/s', 'steps'], ...rows], ALIGNMENT),
    '',
    ...(wasm ? [...ratio(wasm, torch), ...instruments(wasm)] : timed.flatMap(instruments)),
  ];
}

function description({ layers, heads, dim, context, batch }: Workload, parameters: number | undefined): string[] {
  const size = parameters === undefined ? '' : `${(parameters / 1e6).toFixed(2)} M parameters, `;
  return [
    `GPT-2: ${size}${layers} layers, ${heads} heads, dimension ${dim}.`,
    `A step: forward, backward and AdamW of ${batch} sequences of ${context} tokens. Medians over the steps timed;`,
    'CPU time is of all threads, tokens/s and GFLOP/s are by wall time.',
    'Operations of a step: 6 (12 L d² + V d) N + 12 L T d N for N tokens (arXiv 2204.02311, appendix B).',
  ];
}

function torchName(torch: TorchTimes | Absent): string {
  return 'version' in torch ? `PyTorch ${torch.version}, 1 thread` : 'PyTorch';
}

function cells({ wallMs, cpuMs, steps }: StepTime, workload: Workload): string[] {
  const perSecond = 1000 / wallMs;
  return [
    wallMs.toFixed(0),
    cpuMs.toFixed(0),
    (tokensPerStep(workload) * perSecond).toFixed(0),
    ((flopPerStep(workload) * perSecond) / 1e9).toFixed(1),
    String(steps),
  ];
}

function ratio(wasm: BackendTimes, torch: TorchTimes | Absent): string[] {
  if ('absent' in torch) return [];
  return [`By CPU time, wasm has ${(torch.cpuMs / wasm.cpuMs).toFixed(2)} of the speed of PyTorch on one thread.`];
}

function instruments({ backend, cpuMs, tevCpuMs, gradientVarianceCpuMs }: BackendTimes): string[] {
  const share = (ms: number) => `${((100 * ms) / cpuMs).toPrecision(2)} % of a step`;
  return [
    `Instruments on ${backend}, by CPU time: TEV ${tevCpuMs.toPrecision(2)} ms, ${share(tevCpuMs)};`,
    `gradient variance over ${MICRO_BATCHES} micro-batches ${gradientVarianceCpuMs.toPrecision(2)} ms, ${share(gradientVarianceCpuMs)}:`,
    `TEV is ${(gradientVarianceCpuMs / tevCpuMs).toFixed(0)} times cheaper.`,
  ];
}
