import { afterEach, expect, test, vi } from 'vitest';
import { Failure, report } from './failure.ts';

afterEach(() => {
  process.exitCode = undefined;
});

function reported(error: unknown): string {
  const print = vi.spyOn(console, 'error').mockImplementation(() => {});
  try {
    report(error);
    return print.mock.calls.flat().join('\n');
  } finally {
    print.mockRestore();
  }
}

test('a failure that quotes a run named with escape sequences moves no cursor, and keeps its own lines', () => {
  expect(reported(new Failure('run "\x1b[2Ja\u202e" is refused\nNot imported.'))).toBe(
    'evenkeel: run "\\x1b[2Ja\\u202e" is refused\nNot imported.',
  );
});

test('a failed query ends a command without its parameters, also where the cause has no code', () => {
  const failed = new Error(`Failed query: select $1\nparams: ${'secret'.repeat(1_000_000)}`);
  failed.cause = new Error('the database is closed');
  expect(reported(failed)).toMatch(/^evenkeel: Error: the database is closed\n {4}at /);
  expect(reported(failed)).not.toContain('secret');
});
