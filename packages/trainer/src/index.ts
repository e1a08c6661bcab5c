export { benchTrainCommand } from './bench/command.ts';
export { resolveFlags, trainCommand } from './cli/command.ts';
export { keyFlag, serverFlag } from './cli/flags.ts';
export { duration } from './cli/progress.ts';
export { applySettings, settingsToYaml } from './cli/settings.ts';
export { parseYaml, readYaml } from './cli/yaml-file.ts';
export { requirePackages, TENSORFLOW } from './optional-packages.ts';
export { reportUsageErrors, UsageError } from './usage-error.ts';
