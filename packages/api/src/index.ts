export { type AppRouter, appRouter, createCaller } from './router.ts';
export type { ApiContext } from './trpc.ts';
