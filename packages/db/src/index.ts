export { acknowledgeAlert, type Finding, listAlerts, openAlert, resolveAlert } from './alert.ts';
export {
  type ApiKey,
  anyApiKey,
  authenticateApiKey,
  createApiKey,
  listApiKeys,
  revokeApiKey,
} from './api-key.ts';
export { type Chart, type ChartSeries, readChart } from './chart.ts';
export type { Database } from './database.ts';
export { type Judged, judgedTo, markJudged, runsToJudge } from './judged.ts';
export { type LayerChart, readLayerChart } from './layer-chart.ts';
export { DirectoryHeldError, type Holder, holderOf } from './lock.ts';
export { markLostRuns, touchRuns } from './lost-run.ts';
export { openDatabase } from './open.ts';
export { pingDatabase } from './ping.ts';
export { recentSteps } from './recent-steps.ts';
export { rollUp, runsToRollUp } from './rollup.ts';
export {
  type AttemptSummary,
  finishRun,
  getRun,
  listRuns,
  type RunDetail,
  type RunSummary,
  startRun,
} from './run.ts';
export { CHART_METRICS, type ChartMetric } from './schema.ts';
export { insertSteps } from './step.ts';
