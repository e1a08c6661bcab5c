import { alertRouter } from './router/alert.ts';
import { apiKeyRouter } from './router/api-key.ts';
import { projectRouter } from './router/project.ts';
import { runRouter } from './router/run.ts';
import { stepRouter } from './router/step.ts';
import { viewRouter } from './router/view.ts';
import { createCallerFactory, router } from './trpc.ts';

export const appRouter = router({
  project: projectRouter,
  run: runRouter,
  step: stepRouter,
  alert: alertRouter,
  view: viewRouter,
  apiKey: apiKeyRouter,
});
export type AppRouter = typeof appRouter;

/** Calls the router without HTTP, for pages rendered on the server. */
export const createCaller = createCallerFactory(appRouter);
