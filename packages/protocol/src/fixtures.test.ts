import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { z } from 'zod';
import { decodeSteps, encodeSteps } from './codec.ts';
import { command, commandDone } from './command.ts';
import { runConsole } from './console.ts';
import { ack, parse } from './refusal.ts';
import { runDescribe, runFinish, startRequest } from './run.ts';
import { stepBatch } from './step.ts';
import { ingestHandshake } from './version.ts';

const FOLDER = new URL('../fixtures/', import.meta.url);

/** What a fixture is one of, by the first word of its file's name. */
const SCHEMAS: Record<string, z.ZodType> = {
  handshake: ingestHandshake,
  start: startRequest,
  describe: runDescribe,
  steps: stepBatch,
  batch: stepBatch,
  console: runConsole,
  finish: runFinish,
  ack,
  command,
  'command-done': commandDone,
};

const kindOf = (file: string) => file.split('.')[0] ?? '';
/** All but `config.json`, which holds parts of messages. */
const files = readdirSync(FOLDER).filter((file) => file.endsWith('.json') && kindOf(file) !== 'config');

/** As JSON carries it. */
function asJson(value: unknown): unknown {
  const words = (_: string, part: unknown) =>
    typeof part === 'number' && !Number.isFinite(part) ? String(part) : part;
  return JSON.parse(JSON.stringify(value, words));
}

describe('a fixture', () => {
  test.each(files)('%s is read, with every field that it has', (file) => {
    const json = JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8'));
    const schema = SCHEMAS[kindOf(file)];
    if (!schema) throw new Error(`no message is called ${kindOf(file)}`);
    expect(asJson(parse(schema, json))).toMatchObject(asJson(json) as object);
  });

  test('there is one of every message', () => {
    expect([...new Set(files.map(kindOf))].sort()).toEqual(Object.keys(SCHEMAS).sort());
  });

  test.each(files.filter((file) => SCHEMAS[kindOf(file)] === stepBatch))('%s is the same in binary', (file) => {
    const batch = parse(stepBatch, JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8')));
    expect(decodeSteps(encodeSteps(batch))).toEqual(batch);
  });
});
