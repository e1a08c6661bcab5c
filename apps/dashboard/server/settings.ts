import { z } from 'zod';
import { readRange } from './client-address.ts';
import { isLoopback } from './origin-guard.ts';

const TOKEN_LENGTH = 16;

/** Settings of a server. Errors name the field. */
export const serverSettings = z
  .object({
    host: z.string().min(1),
    /** 0 takes any free port. */
    port: z.number().int().min(0).max(65_535),
    /** Where the embedded database lives; not used with `databaseUrl`. */
    dataDir: z.string().min(1),
    databaseUrl: z
      .string()
      .regex(/^postgres(ql)?:\/\//, 'must start with postgres://')
      .nullable(),
    /** The token that viewers sign in with; null authorizes everybody, on loopback only. */
    accessToken: z.string().min(TOKEN_LENGTH, `must have at least ${TOKEN_LENGTH} characters`).nullable(),
    /** Host names, besides loopback, by which the server may be addressed. */
    allowedHosts: z.array(z.string().min(1)),
    /** Addresses or ranges, such as `10.0.0.0/8`, of proxies whose `X-Forwarded-For` is trusted. */
    trustedProxies: z
      .array(z.string().refine((text) => readRange(text) !== null, 'must be an address or a range such as 10.0.0.0/8'))
      .default([]),
    /** Whether clients of MLflow are also answered without the prefix `/mlflow`. */
    mlflow: z.enum(['root'], 'must be "root"').nullable().default(null),
    /** Serves the pages from their sources, as they are at each moment, with what a browser needs to follow changes. */
    dev: z.boolean().default(false),
  })
  .refine(({ host, dev }) => isLoopback(host) || !dev, {
    path: ['dev'],
    message: 'is for this machine only: pages in development run any script and show their sources',
  })
  .refine(({ host, accessToken }) => isLoopback(host) || accessToken !== null, {
    path: ['accessToken'],
    message:
      'is needed to listen beyond this machine: set EVENKEEL_ACCESS_TOKEN to a secret that viewers will be asked for, such as the output of "openssl rand -base64 24"',
  });
export type ServerSettings = z.input<typeof serverSettings>;
