'use client';

import { type Action, action, MAX_REASON_LENGTH, parse, RefusedError } from '@evenkeel/protocol';
import { Button, Group, Modal, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { announce } from '../../components/announcer.tsx';
import { useOfferedActions } from '../../components/page-actions.ts';
import { useYourName, YourName } from '../../components/your-name.tsx';
import { type RunCommand, useTRPC } from '../../trpc/client.tsx';
import classes from './command.module.css';
import { COMMAND_WORDS } from './command-kinds.ts';

type Kind = Action['kind'];
const KINDS = Object.keys(COMMAND_WORDS) as Kind[];

interface Props {
  run: string;
  name: string;
  commands: readonly RunCommand[];
}

/** The commands that a person can send to a run's trainer; each asks for confirmation. */
export function GiveCommand({ run, name, commands }: Props) {
  const [kind, setKind] = useState<Kind | null>(null);
  const [shown, setShown] = useState<Kind>('stop'); // stays while the dialogue fades
  const isStopping = commands.some((each) => each.kind === 'stop' && ['pending', 'acknowledged'].includes(each.status));
  const ask = (each: Kind) => {
    setShown(each);
    setKind(each);
  };
  const possible = KINDS.filter((each) => each !== 'stop' || !isStopping);
  useOfferedActions(possible.map((each) => ({ name: COMMAND_WORDS[each].verb, act: () => ask(each) })));
  return (
    <div className={classes.buttons}>
      {KINDS.map((each) => (
        <Button
          key={each}
          size="compact-sm"
          variant="default"
          disabled={!possible.includes(each)}
          onClick={() => ask(each)}
        >
          {possible.includes(each) ? COMMAND_WORDS[each].verb : 'Stopping…'}
        </Button>
      ))}
      <Modal opened={kind !== null} onClose={() => setKind(null)} title={COMMAND_WORDS[shown].question(name)} centered>
        <CommandForm run={run} kind={shown} onClose={() => setKind(null)} />
      </Modal>
    </div>
  );
}

function CommandForm({ run, kind, onClose }: { run: string; kind: Kind; onClose: () => void }) {
  const [by, nameField] = useYourName();
  const [wrong, setWrong] = useState<string | null>(null);
  const trpc = useTRPC();
  const queries = useQueryClient();
  const give = useMutation(
    trpc.run.command.mutationOptions({
      onSuccess: (given) => {
        void queries.invalidateQueries(trpc.run.pathFilter());
        announce(answerOf(given));
        if (given.status === 'acknowledged' || given.status === 'done') onClose();
      },
    }),
  );
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const fields = new FormData(event.currentTarget);
    const text = (name: string) => String(fields.get(name) ?? '').trim();
    try {
      const asked = parse(action, kind === 'reduce-lr' ? { kind, factor: Number(text('factor')) } : { kind });
      setWrong(null);
      give.mutate({ run, action: asked, by, reason: text('reason') || 'from the dashboard' });
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error;
      setWrong('between 0 and 1, neither of them');
    }
  };
  return (
    <form onSubmit={submit} noValidate>
      <p className={classes.consequence}>{COMMAND_WORDS[kind].consequence}</p>
      {kind === 'reduce-lr' && (
        <TextInput name="factor" label="Factor" defaultValue="0.5" inputMode="decimal" error={wrong} />
      )}
      <TextInput name="reason" label="Reason" maxLength={MAX_REASON_LENGTH} placeholder="for the history of the run" />
      <YourName {...nameField} />
      {give.error && <p role="alert">Not sent: {give.error.message}.</p>}
      {give.data && <p role="status">{answerOf(give.data)}</p>}
      <Group mt="md" justify="flex-end">
        <Button variant="default" onClick={onClose}>
          {give.data ? 'Close' : 'Cancel'}
        </Button>
        {!give.data && (
          <Button type="submit" color={kind === 'stop' ? 'red.9' : undefined} loading={give.isPending}>
            {COMMAND_WORDS[kind].confirm}
          </Button>
        )}
      </Group>
    </form>
  );
}

function answerOf({ status, error }: RunCommand): string {
  if (status === 'expired') return 'The run ended before the trainer received it.';
  if (status === 'failed') return `The trainer refused: ${error}.`;
  if (status === 'pending')
    return 'The trainer has not answered. It receives the command when it connects again, unless the run has ended.';
  return 'The trainer has received it.';
}
