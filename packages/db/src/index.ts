export { type Database, isTimeout } from './database.ts';
export { DirectoryHeldError, holderOf } from './drivers/lock.ts';
export { describeFailure } from './failure.ts';
export { openDatabase } from './open.ts';
export { countAlerts, getAlert, listAlerts, pageAlerts } from './reads/alert-list.ts';
export { type AlertCount, readAlertRecord } from './reads/alert-record.ts';
export { type ApiKey, anyApiKey, listApiKeys } from './reads/api-key.ts';
export { type ArrayChart, readArrayChart } from './reads/array-chart.ts';
export { type Chart, type ChartSeries, readChart } from './reads/chart.ts';
export { type ClientRun, type LatestValues, latestOfField, latestValues, pageClientRuns } from './reads/client-run.ts';
export { type CommandRow, findCommand, listCommands, pageCommands, pendingCommands } from './reads/command.ts';
export { type Console, type KeptConsoleLine, readConsole } from './reads/console.ts';
export { type ForecastPoint, readForecasts } from './reads/forecast.ts';
export { judgedTo, runsToJudge } from './reads/judged.ts';
export { type CustomNames, findCustomNames, listCustomNames, type SeriesKey } from './reads/metric.ts';
export { runsWithoutOnset } from './reads/onset.ts';
export {
  findProject,
  listProjects,
  type NumberedProject,
  numberedProjects,
  readRules,
  rulesOfRun,
} from './reads/project.ts';
export { findReportedNames, type ReportedName, readProjectNames } from './reads/project-names.ts';
export { recentSteps } from './reads/recent-steps.ts';
export { runsToRollUp, runsWithSteps } from './reads/rollup.ts';
export { getRun, type RunDetail, type RunSummary } from './reads/run.ts';
export { type HistoryRow, pageHistory, readHistory } from './reads/run-history.ts';
export { countGroups, countRuns, listRuns, listTags, pageRuns, RUN_SORT_KEYS } from './reads/run-list.ts';
export { findRunSource, getRunSource, type RunLink, type RunSource, readFamily } from './reads/run-source.ts';
export { readSignals, startOfNewest } from './reads/signals.ts';
export { readStoredSteps, type StepColumn, type StoredStep } from './reads/stored-steps.ts';
export { listViews } from './reads/view.ts';
export {
  acknowledgeAlert,
  acknowledgeAlerts,
  markAlerts,
  noteAlert,
  raiseAlert,
  resolveAlert,
  resolveAlerts,
  resolveRule,
  resolveStaleAlerts,
} from './writes/alert.ts';
export { authenticateApiKey, createApiKey, revokeApiKey } from './writes/api-key.ts';
export { acknowledgeCommand, giveCommand, settleCommand } from './writes/command.ts';
export { appendConsole } from './writes/console.ts';
export { reportDropped } from './writes/dropped.ts';
export { saveForecasts } from './writes/forecast.ts';
export { markJudged, rewindJudged } from './writes/judged.ts';
export { markLostRuns, touchRuns } from './writes/lost-run.ts';
export { saveOnsets } from './writes/onset.ts';
export { type OpenedAttempt, openAfter, openAttempt } from './writes/open-attempt.ts';
export { removeStep, type StepKey } from './writes/outlier.ts';
export { probeIngest } from './writes/probe.ts';
export { createProject, writeRules } from './writes/project.ts';
export { forgetRollups, rollUp } from './writes/rollup.ts';
export { finishRun, startRun } from './writes/run.ts';
export { describeRun, describeUnderWay } from './writes/run-description.ts';
export { recordConflicts, recordInert, recordReport } from './writes/run-history.ts';
export { claimRunNames, writeProjectNames } from './writes/run-names.ts';
export { archiveRun, deleteRun } from './writes/run-removal.ts';
export { changeRunState, createRunSource, keepRunState } from './writes/run-source.ts';
export { insertSteps, type StoredSteps, type TakenBatch } from './writes/step.ts';
export { deleteView, saveView } from './writes/view.ts';
