'use client';

import type { RuleSettings } from '@evenkeel/stability';
import { useMutation } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';
import { announce } from '../../components/announcer.tsx';
import { type TriedRun, type TriedRuns, useTRPCClient } from '../../trpc/client.tsx';
import { runsWords } from './trial-words.ts';

/** What settings would have raised in past runs, as far as it is known. */
export interface RuleTrial extends Omit<TriedRuns, 'nextCursor'> {
  settings: RuleSettings;
}

/** Tries settings on a project's past runs, some runs a request. Trying others ends what is under way. */
export function useRuleTrial(project: string) {
  const client = useTRPCClient();
  const [trial, setTrial] = useState<RuleTrial | null>(null);
  const underWay = useRef<AbortController | null>(null);
  useEffect(() => () => underWay.current?.abort(), []);
  const tryOn = useMutation({
    mutationFn: async (settings: RuleSettings) => {
      underWay.current?.abort();
      underWay.current = new AbortController();
      const { signal } = underWay.current;
      let runs: TriedRun[] = [];
      for (let cursor: number | null = 0; cursor !== null; ) {
        const answer: TriedRuns = await client.project.tryRules.query({ project, settings, cursor }, { signal });
        runs = [...runs, ...answer.runs.filter(({ id }) => !runs.some((known) => known.id === id))];
        setTrial({ settings, runs, of: answer.of, maxSteps: answer.maxSteps });
        cursor = answer.nextCursor;
      }
      announce(`tried on ${runsWords(runs.length)}`);
    },
  });
  return { trial, tryOn };
}
