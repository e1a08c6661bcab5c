import {
  acknowledgeAlert,
  acknowledgeAlerts,
  countAlerts,
  getAlert,
  listAlerts,
  markAlerts,
  noteAlert,
  resolveAlert,
  resolveAlerts,
} from '@evenkeel/db';
import {
  type Alert,
  alertFeedback,
  alertStatus,
  authorOf,
  MAX_NOTE_LENGTH,
  name,
  runId,
  severity,
  text,
} from '@evenkeel/protocol';
import { RULE_NAMES } from '@evenkeel/stability';
import { TRPCError } from '@trpc/server';
import { z } from 'zod';
import { type ApiContext, procedure, router } from '../trpc.ts';

const MAX_ALERTS_AT_ONCE = 200;
const MS_PER_HOUR = 3_600_000;

const filter = z.object({
  run: runId.optional(),
  rule: z.array(z.enum(RULE_NAMES)).optional(),
  severity: severity.optional(),
  project: name.optional(),
  /** Part of the run's name. */
  search: text(200).optional(),
  /** Opened within so many hours before now. */
  withinHours: z.number().positive().max(1_000_000).optional(),
});
const listRequest = filter.extend({
  status: z.array(alertStatus).optional(),
  limit: z.number().int().min(1).max(MAX_ALERTS_AT_ONCE).default(100),
  offset: z.number().int().min(0).max(1_000_000).optional(),
});
const alertRequest = z.object({ run: runId, id: z.uuid() });
const alertsRequest = z.object({ alerts: z.array(alertRequest).min(1).max(MAX_ALERTS_AT_ONCE) });
const noteRequest = alertRequest.extend({
  /** Empty to take the note away. */
  note: text(MAX_NOTE_LENGTH),
  by: name.nullable().default(null),
});
const markRequest = alertsRequest.extend({
  /** Null to take back what was said. */
  feedback: alertFeedback.nullable(),
  by: name.nullable().default(null),
});

export const alertRouter = router({
  list: procedure.input(listRequest).query(({ ctx, input }) => listAlerts(ctx.db, openedFrom(ctx, input))),

  /** By status; the filter has none. */
  count: procedure.input(filter).query(({ ctx, input }) => countAlerts(ctx.db, openedFrom(ctx, input))),

  get: procedure.input(alertRequest).query(async ({ ctx, input }) => {
    const alert = await getAlert(ctx.db, input);
    if (!alert) throw new TRPCError({ code: 'NOT_FOUND', message: `there is no alert ${input.id}` });
    return alert;
  }),

  /** The alert; one that is acknowledged or resolved already stays as it is. */
  acknowledge: procedure.input(alertRequest).mutation(async ({ ctx, input }) => {
    const [acknowledged] = await acknowledgeMany(ctx, [input]);
    return acknowledged ?? acknowledgeAlert(ctx.db, input, ctx.now()); // changes nothing: shows it as it is
  }),

  /** The alert; one that is resolved already stays as it is. */
  resolve: procedure.input(alertRequest).mutation(async ({ ctx, input }) => {
    const [resolved] = await resolveMany(ctx, [input]);
    return resolved ?? resolveAlert(ctx.db, input, ctx.now()); // likewise
  }),

  /** The answer holds those that changed. */
  acknowledgeMany: procedure.input(alertsRequest).mutation(({ ctx, input }) => acknowledgeMany(ctx, input.alerts)),

  /** The answer holds those that changed. */
  resolveMany: procedure.input(alertsRequest).mutation(({ ctx, input }) => resolveMany(ctx, input.alerts)),

  note: procedure.input(noteRequest).mutation(async ({ ctx, input }) => {
    const noted = await noteAlert(ctx.db, { ...input, by: authorOf(ctx.principal, input.by) }, ctx.now());
    ctx.events.publish({ kind: 'alert noted', alert: noted });
    return noted;
  }),

  /** Says whether alerts are right. The answer holds those that changed. */
  mark: procedure.input(markRequest).mutation(async ({ ctx, input: { alerts, feedback, by } }) => {
    const marked = await markAlerts(ctx.db, { keys: alerts, feedback, by: authorOf(ctx.principal, by) }, ctx.now());
    for (const alert of marked) ctx.events.publish({ kind: 'alert marked', alert });
    return marked;
  }),
});

type Keys = z.output<typeof alertsRequest>['alerts'];

async function acknowledgeMany({ db, now, principal, events }: ApiContext, keys: Keys): Promise<Alert[]> {
  const acknowledged = await acknowledgeAlerts(db, keys, now(), authorOf(principal, null));
  for (const alert of acknowledged) events.publish({ kind: 'alert acknowledged', alert });
  return acknowledged;
}

async function resolveMany({ db, now, principal, events }: ApiContext, keys: Keys): Promise<Alert[]> {
  const resolved = await resolveAlerts(db, keys, now(), authorOf(principal, null));
  for (const alert of resolved) events.publish({ kind: 'alert resolved', alert });
  return resolved;
}

function openedFrom<Filter extends { withinHours?: number | undefined }>(
  { now }: ApiContext,
  { withinHours, ...filter }: Filter,
) {
  if (withinHours === undefined) return filter;
  return { ...filter, openedFrom: new Date(now().getTime() - withinHours * MS_PER_HOUR) };
}
