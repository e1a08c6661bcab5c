import { join } from 'node:path';

/** Every environment variable that the commands read, where empty is unset; flags override them. */
export const environment = {
  server: read('EVENKEEL_SERVER') ?? 'http://127.0.0.1:4870',
  key: read('EVENKEEL_KEY'),
  accessToken: read('EVENKEEL_ACCESS_TOKEN'),
  trustedProxies: readList('EVENKEEL_TRUSTED_PROXY'),
  mlflow: read('EVENKEEL_MLFLOW'),
  dataDir: read('EVENKEEL_DATA_DIR') ?? join(process.cwd(), '.evenkeel'),
  databaseUrl: read('DATABASE_URL'),
  spool: read('EVENKEEL_SPOOL') ?? join('.evenkeel', 'spool'),
  stateHome: read('XDG_STATE_HOME'),
  user: read('USER') ?? read('USERNAME'),
};

function read(name: string): string | null {
  return process.env[name] || null;
}

/** Separated by commas. */
function readList(name: string): string[] {
  return (read(name) ?? '')
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}
