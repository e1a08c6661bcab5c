import {
  MAX_CUSTOM_SCALARS,
  MAX_LAYERS,
  parse,
  RefusedError,
  STEP_ARRAYS,
  type StepArray,
  type StepEvent,
  stepEvent,
} from '@evenkeel/protocol';
import type { Warn } from './warn.ts';

/**
 * A step as a trainer logs it: `time`, milliseconds since 1970, is filled in where it is absent, and arrays may be
 * typed arrays.
 */
export type StepInput = Omit<StepEvent, 'time' | StepArray> & { time?: number | undefined } & {
  [Name in StepArray]?: ArrayLike<number> | null | undefined;
};

/**
 * The door through which steps come in. A server stores a batch whole or not at all, so a step that it would refuse
 * must not get into one.
 */
export class StepIntake {
  readonly #layers: number;
  readonly #warn: Warn;
  readonly #customNames = new Set<string>();

  constructor(layers: number, warn: Warn) {
    this.#layers = layers;
    this.#warn = warn;
  }

  /** A copy of the step that is sure to be encodable; null, and a warning, where it is wrong. Never throws. */
  take(input: unknown): StepEvent | null {
    try {
      return this.#check(input as StepInput);
    } catch (error) {
      // What a junk value throws when it is read may itself be unprintable.
      const problem = error instanceof RefusedError ? `${error.field}: ${error.message}` : 'it cannot be read';
      this.#warn(`a step was dropped: ${problem}`);
      return null;
    }
  }

  #check(input: StepInput): StepEvent {
    this.#checkLengths(input);
    const step = parse(stepEvent, {
      ...input,
      time: input.time ?? Date.now(),
      tevQuantiles: plainArray(input.tevQuantiles),
      layerGradVar: this.#ofNamedLayers(input, 'layerGradVar'),
      layerOutVar: this.#ofNamedLayers(input, 'layerOutVar'),
      custom: this.#withinNames(input.custom),
    });
    if (step.custom) for (const name in step.custom) this.#customNames.add(name);
    return step;
  }

  /** Before anything is copied: the cost of a step is bounded. */
  #checkLengths(input: StepInput): void {
    for (const name of STEP_ARRAYS) {
      const length = input[name]?.length ?? 0;
      if (length > MAX_LAYERS) throw new RefusedError(name, `has ${length} values, at most ${MAX_LAYERS} are taken`);
    }
  }

  /** A run that names no layers does not lose its steps over it, only what is by layer. */
  #ofNamedLayers(input: StepInput, name: StepArray) {
    const values = plainArray(input[name]);
    if (values == null || values.length === this.#layers) return values;
    if (this.#layers > 0) {
      throw new RefusedError(name, `has ${values.length} values, but the run names ${this.#layers} layers`);
    }
    this.#warn(`${name} is left out: startRun was given no layers`);
    return null;
  }

  /** Leaves out the scalars whose names are one too many for a run. */
  #withinNames(custom: StepInput['custom']): StepInput['custom'] {
    if (typeof custom !== 'object' || custom === null) return custom;
    let room = MAX_CUSTOM_SCALARS - this.#customNames.size;
    const names = Object.keys(custom);
    const kept = names.filter((name) => this.#customNames.has(name) || room-- > 0);
    if (kept.length === names.length) return custom;
    this.#warn(`a run has at most ${MAX_CUSTOM_SCALARS} custom scalars: further names are left out`);
    return Object.fromEntries(kept.map((name) => [name, custom[name] as number]));
  }
}

/** What a tensor library hands out is a typed array; the schema takes plain ones. */
function plainArray(values: ArrayLike<number> | null | undefined): ArrayLike<number> | null | undefined {
  return ArrayBuffer.isView(values) ? Array.from(values) : values;
}
