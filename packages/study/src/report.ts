import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { jsonNumber } from '@evenkeel/protocol';
import { draw } from './draw.ts';
import { markdownOf } from './markdown.ts';
import { plotsOf } from './plots.ts';
import { type Results, resultsOf } from './results.ts';
import { pathsOf } from './run-folder.ts';
import { resultOf } from './run-result.ts';
import { stateOf } from './run-state.ts';
import type { Study } from './study-file.ts';
import { readTrainedRun } from './trained-run.ts';
import { verdictOf } from './verdict.ts';

/** Writes results.json, results.md and plots of the finished runs; resolves to the files' paths. */
export async function report(study: Study, out: string): Promise<string[]> {
  const results = await collect(study, out);
  if (results.runs.length === 0) return [];
  const plots = plotsOf(results);
  const files = [
    { file: 'results.json', content: jsonOf(results) },
    { file: 'results.md', content: markdownOf(results, plots) },
  ];
  for (const { file, spec } of plots) files.push({ file, content: `${await draw(spec)}\n` });
  await mkdir(out, { recursive: true });
  const written = files.map(async ({ file, content }) => {
    await writeFile(join(out, file), content);
    return join(out, file);
  });
  return Promise.all(written);
}

async function collect({ project, runs }: Study, out: string): Promise<Results> {
  const missing: Results['missing'] = [];
  const results = [];
  for (const run of runs) {
    const recording = await readTrainedRun(pathsOf(out, run).recording);
    const state = stateOf(recording);
    if (recording && state.kind === 'done') results.push(resultOf(run, recording));
    else missing.push({ name: run.name, why: 'reason' in state ? state.reason : 'it has not started' });
  }
  return resultsOf(project, results, missing);
}

/** A line for each member of a list; what is not known is null. */
function jsonOf(results: Results): string {
  const fields = Object.entries({ ...results, verdict: verdictOf(results) }).map(([key, value]) => {
    const members = Array.isArray(value) ? `[\n${value.map(compact).join(',\n')}\n]` : compact(value);
    return `${JSON.stringify(key)}: ${members}`;
  });
  return `{\n${fields.join(',\n')}\n}\n`;
}

/** Six significant digits are enough. */
function compact(value: unknown): string {
  return JSON.stringify(value, (_, each) => {
    if (typeof each !== 'number') return each;
    return Number.isNaN(each) ? null : jsonNumber(Number(each.toPrecision(6)));
  });
}
