import { Command } from 'commander';
import { Failure } from '../failure.ts';

/**
 * In place of `bench.ts` in the npm package: benches start builds of the repository beside one another, and need what
 * only a clone has installed, such as playwright-core.
 */
export function addBench(program: Command): void {
  const bench = new Command('bench')
    .description('measure Evenkeel on this machine (in a clone of the repository)')
    .allowUnknownOption()
    .allowExcessArguments()
    .action(() => {
      throw new Failure('benches measure builds of the repository: run them in a clone of it');
    });
  program.addCommand(bench);
}
