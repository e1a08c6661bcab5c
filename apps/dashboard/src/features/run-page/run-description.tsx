'use client';

import { Button } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useRef } from 'react';
import { formatInstant } from '../../components/format.ts';
import type { RunDetail } from '../../trpc/client.tsx';
import { DescriptionForm } from './description-form.tsx';
import { Notes } from './notes.tsx';
import classes from './run-facts.module.css';

/** Tags and notes, as the trainer sent them or a person wrote them since. */
export function RunDescription({ run }: { run: RunDetail }) {
  const [isEdited, { toggle, close }] = useDisclosure();
  const edit = useRef<HTMLButtonElement>(null);
  const closeAndGoBack = () => {
    edit.current?.focus(); // what had the keyboard's focus goes away
    close();
  };
  return (
    <section aria-labelledby="tags-and-notes">
      <div className={classes.head}>
        <h2 id="tags-and-notes">Tags and notes</h2>
        <Button
          ref={edit}
          size="compact-xs"
          variant="default"
          aria-label="Edit tags and notes"
          aria-expanded={isEdited}
          onClick={toggle}
        >
          Edit
        </Button>
      </div>
      {isEdited ? <DescriptionForm run={run} onClose={closeAndGoBack} /> : <Description run={run} />}
    </section>
  );
}

function Description({ run: { tags, notes, notesEditedAt, tagsEditedAt, editedBy } }: { run: RunDetail }) {
  const editedAt = [notesEditedAt, tagsEditedAt].filter((at) => at !== null).sort((one, other) => +other - +one)[0];
  return (
    <>
      {tags.length > 0 && (
        <ul className={classes.tags}>
          {tags.map((tag) => (
            <li key={tag}>{tag}</li>
          ))}
        </ul>
      )}
      {notes ? <Notes notes={notes} /> : tags.length === 0 && <p className={classes.notes}>None.</p>}
      {editedAt && (
        <p className={classes.edited}>
          edited by {editedBy ?? 'somebody'} · <time dateTime={editedAt.toISOString()}>{formatInstant(editedAt)}</time>
        </p>
      )}
    </>
  );
}
