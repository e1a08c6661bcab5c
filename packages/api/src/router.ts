import { alertRouter } from './router/alert.ts';
import { apiKeyRouter } from './router/api-key.ts';
import { consoleRouter } from './router/console.ts';
import { projectRouter } from './router/project.ts';
import { runRouter } from './router/run.ts';
import { stepRouter } from './router/step.ts';
import { viewRouter } from './router/view.ts';
import { createCallerFactory, router } from './trpc.ts';

/**
 * Every procedure of the API, by noun. Errors are tRPC errors whose message is for a person: `BAD_REQUEST` for what a
 * schema or the database refuses, `NOT_FOUND`, `GATEWAY_TIMEOUT` where reading took too long, and `PAYLOAD_TOO_LARGE`
 * where the answer would be too large.
 */
export const appRouter = router({
  project: projectRouter,
  run: runRouter,
  step: stepRouter,
  console: consoleRouter,
  alert: alertRouter,
  view: viewRouter,
  apiKey: apiKeyRouter,
});
/** The type of {@link appRouter}, for typed clients. */
export type AppRouter = typeof appRouter;

/** Calls the router without HTTP, for pages rendered on the server. */
export const createCaller = createCallerFactory(appRouter);
