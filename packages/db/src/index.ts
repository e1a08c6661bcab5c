export {
  acknowledgeAlert,
  acknowledgeAlerts,
  noteAlert,
  raiseAlert,
  resolveAlert,
  resolveAlerts,
  resolveRule,
  resolveStaleAlerts,
} from './alert.ts';
export { countAlerts, getAlert, listAlerts } from './alert-list.ts';
export {
  type ApiKey,
  anyApiKey,
  authenticateApiKey,
  createApiKey,
  listApiKeys,
  revokeApiKey,
} from './api-key.ts';
export { type ArrayChart, readArrayChart } from './array-chart.ts';
export { type Chart, type ChartSeries, readChart } from './chart.ts';
export {
  acknowledgeCommand,
  type CommandRow,
  findCommand,
  giveCommand,
  listCommands,
  pendingCommands,
  settleCommand,
} from './command.ts';
export { type Database, isTimeout } from './database.ts';
export { reportDropped } from './dropped.ts';
export { describeFailure } from './failure.ts';
export { type ForecastPoint, noteForecasts, readForecasts } from './forecast.ts';
export { judgedTo, markJudged, rewindJudged, runsToJudge } from './judged.ts';
export { DirectoryHeldError, holderOf } from './lock.ts';
export { markLostRuns, touchRuns } from './lost-run.ts';
export { type CustomNames, findCustomNames, type SeriesKey } from './metric.ts';
export { openDatabase } from './open.ts';
export { type OpenedAttempt, openAfter, openAttempt } from './open-attempt.ts';
export { removeStep, type StepKey } from './outlier.ts';
export { probeIngest } from './probe.ts';
export { listProjects, readRules, rulesOfRun, writeRules } from './project.ts';
export { recentSteps } from './recent-steps.ts';
export { forgetRollups, rollUp, runsToRollUp, runsWithSteps } from './rollup.ts';
export {
  finishRun,
  getRun,
  type RunDetail,
  type RunSummary,
  startRun,
} from './run.ts';
export { describeRun, describeUnderWay } from './run-description.ts';
export { type HistoryRow, noteConflicts, noteInert, readHistory } from './run-history.ts';
export { countGroups, countRuns, listRuns, listTags, pageRuns, RUN_SORT_KEYS } from './run-list.ts';
export { archiveRun, deleteRun } from './run-removal.ts';
export { readSignals, startOfNewest } from './signals.ts';
export { insertSteps, type StoredSteps, type TakenBatch } from './step.ts';
export { deleteView, listViews, saveView } from './view.ts';
