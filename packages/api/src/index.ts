export { answerRoute, type HttpAnswer, type HttpRequest } from './http/answer.ts';
export { describeHttpApi, HTTP_API_PATH } from './http/openapi.ts';
export { HTTP_ROUTES, type HttpRoute } from './http/routes.ts';
export { type AppRouter, appRouter, createCaller } from './router.ts';
export type { ApiContext } from './trpc.ts';
