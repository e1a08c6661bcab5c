import { type Policy, type Reaction, SEVERITIES } from '@evenkeel/protocol';
import Link from 'next/link';
import { formatCount, formatInstant } from '../../components/format.ts';
import type { RunDetail } from '../../trpc/client.tsx';
import { nameOf } from '../command/command-kinds.ts';
import { flattenConfig } from '../run/config.ts';
import { attemptRows } from './attempts.ts';
import { Outliers } from './outliers.tsx';
import { RunDescription } from './run-description.tsx';
import classes from './run-facts.module.css';
import { RunRemoval } from './run-removal.tsx';

/** What does not change from step to step. */
export function RunFacts({ run }: { run: RunDetail }) {
  return (
    <div className={classes.facts}>
      <Config config={run.config} />
      <Attempts run={run} />
      <PolicyFacts policy={run.attempts.at(-1)?.policy} />
      <DroppedValues dropped={run.dropped} />
      <Outliers run={run} />
      <RunDescription run={run} />
      <Parts parts={run.parts} />
      <section>
        <h2>Id</h2>
        <code>{run.id}</code>
      </section>
      <RunRemoval run={run} />
    </div>
  );
}

/** The runs that a client of another tracker has nested in this one; most runs have none. */
function Parts({ parts }: Pick<RunDetail, 'parts'>) {
  if (parts.length === 0) return null;
  return (
    <section>
      <h2>Parts</h2>
      <table>
        <tbody>
          {parts.map(({ id, name, status }) => (
            <tr key={id}>
              <th scope="row">
                <Link href={`/runs/${id}`} prefetch={false}>
                  {name}
                </Link>
              </th>
              <td>{status}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Config({ config }: Pick<RunDetail, 'config'>) {
  const entries = flattenConfig(JSON.parse(config));
  return (
    <section>
      <h2>Config</h2>
      {entries.length === 0 && <p className={classes.notes}>None.</p>}
      <table>
        <tbody>
          {entries.map(([name, value]) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td>{value}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

/** What alerts do to the newest attempt. */
function PolicyFacts({ policy }: { policy: Policy | undefined }) {
  if (!policy) return null;
  return (
    <section>
      <h2>Alert policy</h2>
      <table>
        <tbody>
          {SEVERITIES.map((severity) => (
            <tr key={severity}>
              <th scope="row">on {severity}</th>
              <td>{reactionWords(policy[severity])}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function reactionWords(reaction: Reaction): string {
  if (reaction.kind === 'observe') return 'observe only';
  return nameOf({ kind: reaction.kind, factor: reaction.kind === 'reduce-lr' ? reaction.factor : null });
}

const SHOWN_FIELDS = 20;

/** What the trainer sent and could not be stored; most runs have none. */
function DroppedValues({ dropped }: Pick<RunDetail, 'dropped'>) {
  if (dropped.length === 0) return null;
  const hidden = dropped.length - SHOWN_FIELDS;
  return (
    <section>
      <h2>Values left out</h2>
      <table>
        <thead>
          <tr>
            <th scope="col">Field</th>
            <th scope="col">Why</th>
            <th scope="col">Steps</th>
          </tr>
        </thead>
        <tbody>
          {dropped.slice(0, SHOWN_FIELDS).map(({ field, reason, count }) => (
            <tr key={`${reason} ${field}`}>
              <th scope="row">{field}</th>
              <td>{reason}</td>
              <td>{formatCount(count)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {hidden > 0 && <p className={classes.notes}>and {formatCount(hidden)} further fields</p>}
    </section>
  );
}

function Attempts({ run }: { run: RunDetail }) {
  const rows = attemptRows(run);
  const hasKeys = rows.some(({ keys }) => keys.length > 0); // a server without keys needs no column for them
  return (
    <section>
      <h2>Attempts</h2>
      <table>
        <thead>
          <tr>
            <th scope="col">#</th>
            <th scope="col">Status</th>
            <th scope="col">Steps</th>
            <th scope="col">Started</th>
            {hasKeys && <th scope="col">Key</th>}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ number, status, firstStep, lastStep, startedAt, keys, conflicts }) => (
            <tr key={number}>
              <th scope="row">{number}</th>
              <td className={classes.whole}>{status}</td>
              <td>
                {span(firstStep, lastStep)}
                {conflicts > 0 &&
                  `, ${formatCount(conflicts)} conflicting ${conflicts === 1 ? 'value' : 'values'} from two emitters`}
              </td>
              <td className={classes.whole}>{formatInstant(startedAt)}</td>
              {hasKeys && <td className={classes.key}>{keys.join(', then ') || 'none'}</td>}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function span(first: number | null, last: number | null): string {
  return last === null ? 'none yet' : `${formatCount(first ?? 0)} – ${formatCount(last)}`;
}
