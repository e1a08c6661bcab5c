import { printable } from '@evenkeel/protocol';
import { RecordingError } from '@evenkeel/recordings';
import type { Command } from 'commander';

/** An error that the user can fix: it is printed without a stack. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Runs the action of a command. A UsageError or RecordingError ends the process with only its message, and status 1. */
export async function reportUsageErrors(command: Command, act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof RecordingError)) throw error;
    command.showHelpAfterError(false).error(`error: ${error.message.split('\n').map(printable).join('\n')}`);
  }
}
