import type { Reporter, TestModule, Vitest } from 'vitest/node';

/** Says at the end which tests did not run and why, so that no skip goes unseen; on CI each of them is a failure. */
export default class SkipReporter implements Reporter {
  private vitest: Vitest | null = null;

  onInit(vitest: Vitest): void {
    this.vitest = vitest;
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    if (!this.vitest || this.vitest.config.testNamePattern) return; // a person has asked for some by name
    const skipped = modules.flatMap((module) => {
      return [...module.children.allTests('skipped')].map((test) => `${module.relativeModuleId}: ${test.fullName}`);
    });
    if (skipped.length === 0) return;
    console.log(`\n${skipped.length} SKIPPED`);
    for (const why of this.vitest.getRootProject().getProvidedContext().missing) console.log(`  ${why}`);
    for (const name of skipped) console.log(`  ${name}`);
    if (!process.env.CI) return;
    console.log('On CI nothing may be skipped.');
    process.exitCode = 1;
  }
}
