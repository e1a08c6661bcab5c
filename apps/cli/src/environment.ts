import { join } from 'node:path';

const { env } = process;

/** Every environment variable that the commands read; flags go before them. */
export const environment = {
  server: env.EVENKEEL_SERVER ?? 'http://127.0.0.1:4870',
  key: env.EVENKEEL_KEY ?? null,
  accessToken: env.EVENKEEL_ACCESS_TOKEN ?? null,
  dataDir: env.EVENKEEL_DATA_DIR ?? join(process.cwd(), '.evenkeel'),
  databaseUrl: env.DATABASE_URL ?? null,
};
