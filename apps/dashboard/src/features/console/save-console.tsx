'use client';

import { useEffect, useState } from 'react';
import { announce } from '../../components/announcer.tsx';
import { type RunDetail, useTRPCClient } from '../../trpc/client.tsx';
import classes from './console.module.css';
import { toText } from './console-lines.ts';
import { readAllLines } from './console-request.ts';

/** Copies or downloads all lines that are kept, as text without colors. */
export function SaveConsole({ run: { id, name } }: { run: Pick<RunDetail, 'id' | 'name'> }) {
  const client = useTRPCClient();
  const [canCopy, setCanCopy] = useState(false); // browsers offer it on https and on this machine alone
  useEffect(() => setCanCopy('clipboard' in navigator), []);
  const save = async (done: string, write: (text: string) => Promise<void> | void) => {
    try {
      const { lines } = await readAllLines(client.console.lines.query, { run: id });
      await write(toText(lines));
      announce(done);
    } catch (error) {
      announce(`The console output could not be saved: ${error instanceof Error ? error.message : error}`);
    }
  };
  return (
    <>
      {canCopy && (
        <button
          type="button"
          className={classes.button}
          onClick={() => save('Copied', (text) => navigator.clipboard.writeText(text))}
        >
          Copy
        </button>
      )}
      <button
        type="button"
        className={classes.button}
        onClick={() => save('Downloaded', (text) => download(text, `${name}.console.txt`))}
      >
        Download
      </button>
    </>
  );
}

function download(text: string, name: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: 'text/plain' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000); // the browser has read it by then
}
