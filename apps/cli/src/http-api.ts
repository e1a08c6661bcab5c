import { z } from 'zod';
import { environment } from './environment.ts';
import { Failure } from './failure.ts';

const failure = z.object({ error: z.string() });

/**
 * Reads from the HTTP API of a running server, with EVENKEEL_ACCESS_TOKEN if it is set.
 * @param path below the root of the API.
 * @throws Failure naming the next step where the server does not answer, or refuses.
 */
export async function readApi(server: string, path: string, search: Record<string, string> = {}): Promise<Response> {
  if (!URL.canParse(server)) throw new Failure(`--server: "${server}" is not a URL such as http://127.0.0.1:4870`);
  const url = new URL(`/api/v1${path}`, server);
  url.search = new URLSearchParams(search).toString();
  const headers: Record<string, string> =
    environment.accessToken === null ? {} : { authorization: `Bearer ${environment.accessToken}` };
  const answer = await fetch(url, { headers }).catch(() => {
    throw new Failure(`no answer from ${server}: start a server with "evenkeel serve", or set another with --server`);
  });
  if (answer.ok) return answer;
  if (answer.status === 401) throw new Failure(`${server} requires its access token: set EVENKEEL_ACCESS_TOKEN`);
  const said = failure.safeParse(await answer.json().catch(() => null));
  throw new Failure(said.success ? said.data.error : `${url.href} answers ${answer.status}: is it an Evenkeel server?`);
}
