import { printable } from '@evenkeel/protocol';
import type { Command } from 'commander';

/** Something that whoever started the trainer can mend: its message says what, and no stack is wanted. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Does what a command is for; a UsageError ends the process with its message alone, and status 1. */
export async function tellUsageErrors(command: Command, act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    command.error(`error: ${error.message.split('\n').map(printable).join('\n')}`);
  }
}
