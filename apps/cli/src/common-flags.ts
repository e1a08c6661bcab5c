import { flag } from '@evenkeel/terminal';
import { z } from 'zod';
import { environment } from './environment.ts';

export const serverFlag = flag(z.string().default(environment.server), {
  value: '<url>',
  help: 'URL of the running server (EVENKEEL_SERVER)',
});

export const dataDirFlag = flag(z.string().default(environment.dataDir), {
  value: '<folder>',
  help: 'folder of the embedded database (EVENKEEL_DATA_DIR)',
});
