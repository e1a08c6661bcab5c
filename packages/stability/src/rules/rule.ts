import { z } from 'zod';
import type { Forecast } from '../forecast/forecaster.ts';
import type { SignalName, Signals } from '../signals.ts';

export type Severity = 'warning' | 'critical';

/** `calm` resolves an alert, `uneasy` keeps it as it is. */
export type Level = 'calm' | 'uneasy' | Severity;

/** A rule's judgment of a run at a step. */
export interface Assessment {
  level: Level;
  /** Why; asked for only when an alert opens or becomes worse. */
  explain: () => Explanation;
}

export interface Explanation {
  /** One sentence for a person, its numbers rounded. */
  message: string;
  /** The numbers behind the message, by name; all are finite. */
  evidence: Record<string, number>;
  /** The first step that the rule looked at. */
  from: number;
  /** Of divergence within 100 steps; null where the rule does not forecast. */
  risk: number | null;
  divergenceStep: number | null;
}

export const CALM: Assessment = {
  level: 'calm',
  explain: () => ({ message: 'all is well', evidence: {}, from: 0, risk: null, divergenceStep: null }),
};

/** Follows one run step by step. A step that is not after the last rewinds it. */
export interface StepObserver {
  /** Null where the step has nothing that the rule could judge by. */
  observe(signals: Signals): Assessment | null;
  /**
   * Of a rule that judges single values, whenever they come: what is wrong with a part of a step that lies behind the
   * last. Null where nothing is. Remembers nothing of it.
   */
  observeLate?(part: Signals): Assessment | null;
  /** Of a rule that goes by how long a process has run: another goes on from the next step. */
  newAttempt?(): void;
  /** Plain data, from which `create` goes on. */
  state(): unknown;
  /** Of a rule that forecasts: its last forecast; null where it has nothing to go by. */
  readonly forecast?: Forecast | null;
}

/** Follows one run by the clock: what it finds is over with the next step. */
export interface ClockObserver {
  observe(signals: Signals): void;
  /** What to think of a run from which nothing has come until `now`, in milliseconds since 1970. */
  elapse(now: number): { step: number; assessment: Assessment } | null;
  /** Plain data, from which `create` goes on. */
  state(): unknown;
}

/** A number that a project can set for a rule, and how a person reads it. */
export interface Setting {
  schema: z.ZodNumber;
  default: number;
  label: string;
  unit: string;
}

/** How a number of the evidence is written for a person. */
export type EvidenceFormat =
  | 'number'
  | 'count'
  | 'steps'
  | 'seconds'
  | 'times'
  /** The number is a logarithm: shown as a factor. */
  | 'log times'
  /** The number is a logarithm of the growth in one step: shown in percent. */
  | 'log growth'
  /** Yes where it is above 0. */
  | 'yes or no';

type SettingMap = Readonly<Record<string, Setting>>;

/** The values of a rule's settings, and whether the rule is on. */
export type ValuesOf<Settings extends SettingMap> = string extends keyof Settings
  ? Readonly<Record<string, number | boolean>>
  : { enabled: boolean } & { [Name in keyof Settings]: number };

interface RuleWords {
  title: string;
  /** What it finds, in a sentence or two. */
  what: string;
  formula: string;
  source: string;
  /** The names of its evidence, in the order in which they are shown. */
  evidence: Readonly<Record<string, readonly [label: string, format: EvidenceFormat]>>;
}

interface RuleDefinition<Name extends string, Settings extends SettingMap> extends RuleWords {
  /** Lower-case words joined by `-`: it is stored with alerts and never changes. */
  name: Name;
  settings: Settings;
  /** Each setting must not be above the next. */
  ascending: readonly (readonly (keyof Settings & string)[])[];
  /** Whether the policy of a run answers its alerts. */
  isAnswered: boolean;
  /** The signal whose chart names its alerts. */
  marks: SignalName;
}

/** A rule that judges by the steps of a run. Its alert resolves once it has been calm for some steps. */
export interface StepRule<Name extends string = string, Settings extends SettingMap = SettingMap>
  extends RuleDefinition<Name, Settings> {
  kind: 'step';
  /** @param state what the observer's own `state` gave; undefined where it begins. */
  create(settings: ValuesOf<Settings>, state?: unknown): StepObserver;
}

/** A rule that judges by the time since the last step. Its alert resolves at the next step. */
export interface ClockRule<Name extends string = string, Settings extends SettingMap = SettingMap>
  extends RuleDefinition<Name, Settings> {
  kind: 'clock';
  /** @param state what the observer's own `state` gave; undefined where it begins. */
  create(settings: ValuesOf<Settings>, state?: unknown): ClockObserver;
}

/** A rule of either kind; `kind` says which. */
export type Rule = StepRule | ClockRule;

const count = z.number().int().min(0).max(1_000_000);

/** A setting that counts steps. */
export function steps(value: number, label: string): Setting {
  return { schema: count, default: value, label, unit: 'steps' };
}

/** A setting that is a margin above the limits of a rule: at 0 all of them are reached. */
export function margin(value: number, label: string): Setting {
  return { schema: z.number().min(-100).max(100), default: value, label, unit: 'margin' };
}

/** A setting that is above 0. */
export function positive(value: number, label: string, unit: string): Setting {
  return { schema: z.number().positive(), default: value, label, unit };
}

function calming(resolveSteps: number) {
  return {
    resolveSteps: steps(resolveSteps, 'Resolves once calm for'),
    cooldownSteps: steps(100, 'Cooldown after that'),
  };
}

type StepSettings<Settings extends SettingMap> = Settings & ReturnType<typeof calming>;

/**
 * A rule that judges by steps; `resolveSteps` and `cooldownSteps` are settings of each.
 * @param resolveSteps the default of the setting of that name.
 */
export function stepRule<const Name extends string, Settings extends SettingMap>(
  {
    settings,
    ...definition
  }: Omit<StepRule<Name, StepSettings<Settings>>, 'kind' | 'settings'> & { settings: Settings },
  resolveSteps = 30,
): StepRule<Name, StepSettings<Settings>> {
  return { ...definition, kind: 'step', settings: { ...settings, ...calming(resolveSteps) } };
}

export function clockRule<const Name extends string, Settings extends SettingMap>(
  definition: Omit<ClockRule<Name, Settings>, 'kind'>,
): ClockRule<Name, Settings> {
  return { ...definition, kind: 'clock' };
}
