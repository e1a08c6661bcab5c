'use client';

import { MAX_NAME_LENGTH } from '@evenkeel/protocol';
import { Kbd } from '@mantine/core';
import { Command } from 'cmdk';
import { useRouter } from 'next/navigation';
import { type ReactNode, useState } from 'react';
import type { PageAction } from '../../components/page-actions.ts';
import type { RunSummary } from '../../trpc/client.tsx';
import { RunStatusMark } from '../run/run-status.tsx';
import { useFoundRuns } from './found-runs.ts';
import classes from './palette.module.css';
import { useActions, usePages } from './palette-actions.ts';

const NOTHING = 'Nothing found. Runs are found by a part of their name, project, owner or tag.';

/** @param onChosen is given what to do, once the palette is out of the way. */
export function PaletteSearch({ onChosen }: { onChosen: (act: () => void) => void }) {
  const [typed, setTyped] = useState('');
  const { runs, isSearching, isFirst, error } = useFoundRuns(typed);
  const pages = usePages(typed);
  const actions = useActions(typed);
  const router = useRouter();
  const isEmpty = runs.length + pages.length + actions.length === 0;
  return (
    <Command shouldFilter={false} vimBindings={false} label="Find a run, a page or an action">
      <Command.Input
        autoFocus // at once: who opens the palette types on
        value={typed}
        onValueChange={setTyped}
        className={classes.input}
        placeholder="A run, a page or an action"
        maxLength={MAX_NAME_LENGTH}
      />
      <Command.List label="Found" className={classes.list}>
        {!isFirst && (
          <>
            <Group heading={typed.trim() ? 'Runs, newest first' : 'Newest runs'} size={runs.length}>
              {runs.map((run) => (
                <RunItem key={run.id} run={run} onSelect={() => onChosen(() => router.push(`/runs/${run.id}`))} />
              ))}
            </Group>
            <ActionGroup heading="Pages" actions={pages} onChosen={onChosen} />
            <ActionGroup heading="Actions" actions={actions} onChosen={onChosen} />
          </>
        )}
      </Command.List>
      <footer className={classes.footer}>
        <p role="status">
          {error ? `The runs could not be read: ${error.message}` : isSearching ? 'Searching…' : isEmpty && NOTHING}
        </p>
        <Keys />
      </footer>
    </Command>
  );
}

function Group({ heading, size, children }: { heading: string; size: number; children: ReactNode }) {
  if (size === 0) return null;
  return (
    <Command.Group heading={heading} className={classes.group}>
      {children}
    </Command.Group>
  );
}

function RunItem({ run, onSelect }: { run: RunSummary; onSelect: () => void }) {
  return (
    <Command.Item value={run.id} onSelect={onSelect} className={classes.item}>
      <span className={classes.name}>{run.name}</span>
      <span className={classes.project}>{run.project}</span>
      <RunStatusMark status={run.status} />
    </Command.Item>
  );
}

interface ActionGroupProps {
  heading: string;
  actions: readonly PageAction[];
  onChosen: (act: () => void) => void;
}

function ActionGroup({ heading, actions, onChosen }: ActionGroupProps) {
  return (
    <Group heading={heading} size={actions.length}>
      {actions.map(({ name, act }) => (
        <Command.Item key={name} value={name} onSelect={() => onChosen(act)} className={classes.item}>
          <span className={classes.name}>{name}</span>
        </Command.Item>
      ))}
    </Group>
  );
}

function Keys() {
  return (
    <span className={classes.keys}>
      <Kbd size="xs">↑</Kbd> <Kbd size="xs">↓</Kbd> move <Kbd size="xs">Enter</Kbd> choose <Kbd size="xs">Esc</Kbd>{' '}
      close
    </span>
  );
}
