import { Command } from 'commander';
import { Failure } from '../failure.ts';

// The commands that train. Their packages, and TensorFlow.js and Vega with them, are loaded only when one of them is
// used, so that a server starts without them.

/** Gives a command its flags and its action. */
type Define = (command: Command) => unknown;

interface Lazy {
  /** The words that call the command. */
  words: readonly string[];
  command: Command;
  load: () => Promise<Define>;
}

const train: Lazy = {
  words: ['train'],
  command: new Command('train').description('train a small GPT-2 and stream every step to a server'),
  load: async () => (await import('@evenkeel/trainer')).trainCommand,
};

const study: Lazy = {
  words: ['study'],
  command: new Command('study').description(
    'train a grid of runs, several at a time, and compare them in tables and plots',
  ),
  load: async () => (await import('@evenkeel/study')).studyCommand,
};

const benchTrain: Lazy = {
  words: ['bench', 'train'],
  command: new Command('train').description(
    'time training steps on every backend that is installed, beside PyTorch on one thread',
  ),
  load: async () => (await import('@evenkeel/trainer')).benchTrainCommand,
};

export const trainCommand = train.command;
export const studyCommand = study.command;
export const benchTrainCommand = benchTrain.command;

/**
 * Defines the command that is called, or that help is asked for, if it is one of these.
 * @throws Failure where this installation is one of a server alone.
 */
export async function defineTraining(args: readonly string[]): Promise<void> {
  const called = args.filter((word) => !['help', '--help', '-h'].includes(word));
  const offered = [train, study, benchTrain].filter(({ command }) => command.parent !== null);
  const used = offered.find(({ words }) => words.every((word, at) => word === called[at]));
  if (!used) return;
  const define = await used.load().catch(refuseIfServerOnly);
  define(used.command);
}

/** The command, which now fails before it begins where the trainers that it starts could not train. */
export function startingTrainers(command: Command): Command {
  return command.hook('preAction', async () => {
    const { requirePackages, TENSORFLOW } = await import('@evenkeel/trainer').catch(refuseIfServerOnly);
    requirePackages(TENSORFLOW);
  });
}

/** The image of a server has none of our packages that train, and npm could not install them there. */
function refuseIfServerOnly(error: NodeJS.ErrnoException): never {
  const isAbsent = error.code === 'ERR_MODULE_NOT_FOUND' && /'@evenkeel\/(trainer|study)'/.test(error.message);
  if (!isAbsent) throw error;
  throw new Failure(
    'this installation only serves, and cannot train. Where evenkeel is installed from its npm package or a clone, "evenkeel demo" runs, and "evenkeel train --server URL" sends runs to this server',
  );
}
