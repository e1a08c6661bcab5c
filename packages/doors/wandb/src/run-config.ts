import { type PolicyInput, policy, tagIntegers } from '@evenkeel/protocol';
import { toJson } from './json.ts';
import { readStepRules, type StepRule } from './step-rules.ts';

/** The key, which W&B keeps for itself, under which a configuration here has the run's group, job type, program and host. */
export const ORIGIN = '_wandb';

/** What a client sends as the configuration of a run, taken apart. */
export interface SentConfig {
  config: Record<string, unknown>;
  /** Null where it says nothing of them. */
  stepRules: StepRule[] | null;
}

/** Reads a configuration, in which each value is wrapped: `{"lr":{"value":0.1}}`. @returns null where it is none. */
export function readConfig(text: string): SentConfig | null {
  const found = toJson(tagIntegers(text));
  if (!isObject(found)) return null;
  const { [ORIGIN]: sent, ...wrapped } = found;
  const config = Object.fromEntries(Object.entries(wrapped).map(([key, value]) => [key, unwrap(value)]));
  const own = unwrap(sent);
  return { config, stepRules: isObject(own) && 'm' in own ? readStepRules(own.m) : null };
}

function unwrap(value: unknown): unknown {
  return isObject(value) && 'value' in value ? value.value : value;
}

/** A configuration as a client reads it when it resumes: wrapped, and with what JSON cannot carry as W&B writes it. */
export function writeConfig({ [ORIGIN]: _, ...config }: Record<string, unknown>): string {
  const wrapped = Object.fromEntries(Object.entries(config).map(([key, value]) => [key, { value }]));
  return JSON.stringify(wrapped).replaceAll(/\{"\$number":"([^"]+)"\}/g, (_, number) =>
    /^-?\d+$/.test(number) ? number : 'null',
  );
}

const STOP_TAG = 'evenkeel:stop';

/**
 * The policy that a script asks for without knowing Evenkeel: by a tag, or by its configuration, as a word or in full.
 * Undefined where it asks for none, and its alerts are only observed.
 */
export function policyOf(config: Record<string, unknown>, tags: readonly string[]): PolicyInput | undefined {
  const asked = isObject(config.evenkeel) ? config.evenkeel.policy : undefined;
  if (asked === 'stop' || (asked === undefined && tags.includes(STOP_TAG))) return { critical: { kind: 'stop' } };
  return policy.safeParse(asked).data;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
