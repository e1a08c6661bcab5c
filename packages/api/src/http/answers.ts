import {
  action,
  alert,
  alertOutcome,
  attemptNumber,
  COMMAND_STATUSES,
  droppedValue,
  endStatus,
  metricTarget,
  openAlert,
  policy,
  runId,
  runStatus,
  stepNumber,
} from '@evenkeel/protocol';
import { z } from 'zod';

// What the routes answer: the description shows these, and the tests hold the answers to them. A date is ISO 8601 text.

/** A number, where NaN and infinities are values: in JSON those are text. */
const float = z
  .custom<number>((value) => typeof value === 'number')
  .meta({ anyOf: [{ type: 'number' }, { enum: ['NaN', 'Infinity', '-Infinity'] }] });
const count = z.number().int();
const nextCursor = z.string().nullable().meta({ description: 'The cursor of the next page; null on the last.' });

const runSummary = z.object({
  id: runId,
  project: z.string(),
  name: z.string(),
  status: runStatus,
  reason: z.string().nullable(),
  owner: z.string().nullable(),
  tags: z.array(z.string()),
  startedAt: z.date(),
  endedAt: z.date().nullable(),
  lastSeenAt: z.date(),
  lastStep: stepNumber.nullable(),
  loss: float.nullable(),
  tevMean: float.nullable(),
  risk: z.number().nullable(),
  divergenceStep: count.nullable(),
  divergenceInterval: z.tuple([count, count]).nullable(),
  archivedAt: z.date().nullable(),
  droppedValues: count,
  openAlerts: z.array(openAlert),
});

const attempt = z.object({
  number: attemptNumber,
  status: endStatus.nullable(),
  policy: z.object({ warning: policy.shape.warning.unwrap(), critical: policy.shape.critical.unwrap() }),
  startedAt: z.date(),
  endedAt: z.date().nullable(),
  firstStep: stepNumber.nullable(),
  lastStep: stepNumber.nullable(),
  outliers: z.array(stepNumber),
  removed: z.array(stepNumber),
  startedAs: attemptNumber.nullable(),
  conflicts: count,
  keys: z.array(z.object({ id: z.uuid(), name: z.string() })),
});

export const run = z.object({
  ...runSummary.shape,
  config: z.record(z.string(), z.unknown()),
  notes: z.string(),
  notesEditedAt: z.date().nullable(),
  tagsEditedAt: z.date().nullable(),
  editedBy: z.string().nullable(),
  layers: z.array(z.string()),
  names: z
    .partialRecord(metricTarget, z.string())
    .meta({ description: 'The names under which its trainer reports what became fields of its steps.' }),
  dropped: z.array(droppedValue),
  attempts: z.array(attempt),
});

const command = z.object({
  id: z.uuid(),
  run: runId,
  attempt: attemptNumber,
  kind: z.enum(action.options.map(({ shape }) => shape.kind.value)),
  factor: z.number().nullable(),
  by: z.string().nullable(),
  reason: z.string(),
  alert: z.uuid().nullable(),
  step: stepNumber.nullable(),
  status: z.enum(COMMAND_STATUSES),
  result: z.string().nullable(),
  error: z.string().nullable(),
  createdAt: z.date(),
  acknowledgedAt: z.date().nullable(),
  settledAt: z.date().nullable(),
});

const event = z.object({
  id: count,
  run: runId,
  attempt: attemptNumber,
  kind: z.string(),
  step: stepNumber.nullable(),
  by: z.string().nullable(),
  reason: z.string(),
  at: z.date(),
});

const listedAlert = z.object({
  ...alert.shape,
  runName: z.string(),
  project: z.string(),
  outcome: alertOutcome.meta({
    description:
      'What became of the run after it. unknown: it ended unfinished, was stopped, was rewound or had its learning rate reduced before it diverged.',
  }),
  onset: stepNumber.nullable().meta({ description: 'The step at which the run diverged.' }),
  late: z.boolean().meta({ description: 'Whether the run had diverged when the alert was raised.' }),
});

export const runPage = z.object({ runs: z.array(runSummary), nextCursor });
export const alertPage = z.object({ alerts: z.array(listedAlert), nextCursor });
export const commandPage = z.object({ commands: z.array(command), nextCursor });
export const eventPage = z.object({ events: z.array(event), nextCursor });
export const keyPage = z.object({ keys: z.array(z.string()), nextCursor });

/** What is known of a run besides its steps. */
export const runFacts = z.object({
  run,
  alerts: z.array(listedAlert),
  commands: z.array(command),
  events: z.array(event),
  incomplete: z
    .array(z.enum(['alerts', 'commands', 'events']))
    .meta({ description: 'Which lists have more than the newest that are here.' }),
});

/** A line of a history. */
export const stepRow = z
  .object({ attempt: attemptNumber, step: stepNumber, time: z.number() })
  .catchall(z.union([float, z.array(float)]));

export const failure = z.object({ error: z.string() });

/** The answers that the description names. */
export const NAMED_ANSWERS = {
  RunSummary: runSummary,
  Run: run,
  Attempt: attempt,
  Alert: listedAlert,
  Command: command,
  Event: event,
  RunPage: runPage,
  AlertPage: alertPage,
  CommandPage: commandPage,
  EventPage: eventPage,
  KeyPage: keyPage,
  RunFacts: runFacts,
  StepRow: stepRow,
  Failure: failure,
};
