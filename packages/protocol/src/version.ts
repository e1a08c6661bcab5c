import { z } from 'zod';
import { RefusedError } from './refusal.ts';
import { name } from './text.ts';

/** Raised whenever a client or server of the former version would misread the other. */
export const PROTOCOL_VERSION = 1;

/** What a client presents in socket.io's `auth` when it connects to `/ingest`. */
export const ingestHandshake = z.object({
  protocol: z.number().int(),
  /** Name and version of the client, for the server's log. */
  client: name,
  /** An ingest key; needed as soon as the server has one. */
  key: z.string().max(200).optional(),
});
/** A parsed {@link ingestHandshake}. */
export type IngestHandshake = z.infer<typeof ingestHandshake>;

/** @throws RefusedError where the two sides speak different versions. */
export function checkProtocolVersion(protocol: number): void {
  if (protocol === PROTOCOL_VERSION) return;
  const older = protocol < PROTOCOL_VERSION ? 'client' : 'server';
  throw new RefusedError(
    'protocol',
    `the client speaks protocol ${protocol}, this server ${PROTOCOL_VERSION}: upgrade the ${older}`,
  );
}
