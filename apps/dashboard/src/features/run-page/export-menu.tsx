import { Button, Popover } from '@mantine/core';
import classes from './export-menu.module.css';

const FORMATS = [
  { format: 'parquet', title: 'Parquet', what: 'a table of the timeline, with config and alerts as metadata' },
  { format: 'csv', title: 'CSV', what: 'the same table as text' },
  { format: 'jsonl', title: 'Recording (JSON lines)', what: 'every attempt, for evenkeel import and replay' },
];

/** The run as a file, in the formats of the HTTP API. */
export function ExportMenu({ run }: { run: string }) {
  return (
    <Popover position="bottom-start" trapFocus returnFocus shadow="md" width={280}>
      <Popover.Target>
        <Button size="compact-sm" variant="default">
          Export
        </Button>
      </Popover.Target>
      <Popover.Dropdown p="xs">
        <ul className={classes.formats}>
          {FORMATS.map(({ format, title, what }) => (
            <li key={format}>
              <a href={`/api/v1/runs/${run}/export?format=${format}`} download>
                {title}
              </a>
              <small>{what}</small>
            </li>
          ))}
        </ul>
      </Popover.Dropdown>
    </Popover>
  );
}
