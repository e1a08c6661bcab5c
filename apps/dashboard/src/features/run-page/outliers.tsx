'use client';

import { Button } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { announce } from '../../components/announcer.tsx';
import { formatCount } from '../../components/format.ts';
import { useYourName } from '../../components/your-name.tsx';
import { type RunDetail, useTRPC } from '../../trpc/client.tsx';

interface LeftOut {
  attempt: number;
  step: number;
  isRemoved: boolean;
}

/** Steps that the charts leave out: their numbers look wrong, or a person has removed them. Most runs have none. */
export function Outliers({ run: { id, attempts } }: { run: Pick<RunDetail, 'id' | 'attempts'> }) {
  const [by] = useYourName();
  const trpc = useTRPC();
  const queries = useQueryClient();
  const remove = useMutation(
    trpc.run.removeStep.mutationOptions({
      onSuccess: async (_, { step, removed }) => {
        announce(removed ? `step ${step} is removed` : `step ${step} is back`);
        await Promise.all([
          queries.invalidateQueries(trpc.run.pathFilter()),
          queries.invalidateQueries(trpc.step.pathFilter()),
        ]);
      },
    }),
  );
  const steps = attempts.flatMap(({ number, outliers, removed }): LeftOut[] => [
    ...outliers.map((step) => ({ attempt: number, step, isRemoved: false })),
    ...removed.map((step) => ({ attempt: number, step, isRemoved: true })),
  ]);
  if (steps.length === 0) return null;
  return (
    <section>
      <h2>Steps left out</h2>
      {remove.error && <p role="alert">{remove.error.message}</p>}
      <table>
        <tbody>
          {steps.map(({ attempt, step, isRemoved }) => (
            <tr key={`${attempt} ${step}`}>
              <th scope="row">{formatCount(step)}</th>
              <td>{isRemoved ? 'removed' : `ahead of the other steps of attempt ${attempt}`}</td>
              <td>
                <Button
                  size="compact-sm"
                  variant="default"
                  loading={remove.isPending}
                  aria-label={`${isRemoved ? 'Undo the removal of' : 'Remove'} step ${step}`}
                  onClick={() => remove.mutate({ run: id, attempt, step, removed: !isRemoved, by })}
                >
                  {isRemoved ? 'Undo' : 'Remove'}
                </Button>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
