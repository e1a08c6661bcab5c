import { z } from 'zod';
import { readRange } from './client-address.ts';
import { isLoopback } from './door.ts';

const TOKEN_LENGTH = 16;

/** What a server needs to know to start. Errors name the field. */
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
    /** What viewers present once; null lets everybody view, on loopback only. */
    accessToken: z.string().min(TOKEN_LENGTH, `must have at least ${TOKEN_LENGTH} characters`).nullable(),
    /** Host names, besides loopback, by which the server may be addressed. */
    allowedHosts: z.array(z.string().min(1)),
    /** Addresses or ranges, such as `10.0.0.0/8`, of proxies whose `X-Forwarded-For` is believed. */
    trustedProxies: z
      .array(z.string().refine((text) => readRange(text) !== null, 'must be an address or a range such as 10.0.0.0/8'))
      .default([]),
  })
  .refine(({ host, accessToken }) => isLoopback(host) || accessToken !== null, {
    path: ['accessToken'],
    message:
      'is needed to listen beyond this machine: set EVENKEEL_ACCESS_TOKEN to a secret that viewers will be asked for, such as the output of "openssl rand -base64 24"',
  });
export type ServerSettings = z.input<typeof serverSettings>;
