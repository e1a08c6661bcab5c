import { type Command, InvalidArgumentError, type Option } from 'commander';
import { stringify } from 'yaml';
import { UsageError } from '../usage-error.ts';
import { readYaml } from './yaml-file.ts';

// The settings of a run are its flags by their names in camelCase. They come from the command line, a file or a
// checkpoint; each value is parsed by the flag's own parser, wherever it comes from.

/**
 * Reads settings from a YAML or JSON file, which is YAML too.
 * @throws UsageError where the file cannot be read or is not a mapping, with the line where it is not valid YAML.
 */
export async function readSettings(path: string): Promise<Record<string, unknown>> {
  const settings = await readYaml(path).catch((error) => {
    throw error instanceof UsageError ? new UsageError(`--config: ${error.message}`) : error;
  });
  if (typeof settings === 'object' && settings !== null && !Array.isArray(settings)) return { ...settings };
  throw new UsageError(`--config: ${path} is not a list of settings such as "layers: 6"`);
}

/**
 * Sets a command's options to the values of a file, where nothing of higher priority has set them.
 * @throws UsageError naming the file and the setting that is wrong.
 */
export function applySettings(
  command: Command,
  settings: Record<string, unknown>,
  from: { file: string; except: readonly string[] },
): void {
  for (const [name, value] of Object.entries(settings)) {
    const options = command.options.filter((option) => option.attributeName() === name);
    const isKnown = options.length > 0 && !from.except.includes(name);
    if (!isKnown) throw new UsageError(`${from.file}: there is no setting "${name}"`);
    if (!['default', undefined].includes(command.getOptionValueSource(name))) continue;
    command.setOptionValueWithSource(name, readValue(options, value, `${from.file}: ${name}`), 'config');
  }
}

function readValue(options: readonly Option[], value: unknown, field: string): unknown {
  if (value === false && options.some(({ negate }) => negate)) return false;
  const [option] = options.filter(({ negate }) => !negate);
  if (!option?.required && !option?.optional) {
    if (typeof value === 'boolean') return value;
    throw new UsageError(`${field}: expected true or false`);
  }
  if (option.variadic) return [value].flat().map((each) => String(each));
  if (!['string', 'number'].includes(typeof value) && !isTextList(value))
    throw new UsageError(`${field}: expected a value`);
  try {
    return option.parseArg ? option.parseArg(String(value), undefined) : String(value);
  } catch (error) {
    if (error instanceof InvalidArgumentError) throw new UsageError(`${field}: ${error.message}`);
    throw error;
  }
}

/** A list of strings, which `tags` may be: its flag takes them separated by commas. */
function isTextList(value: unknown): boolean {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}

/** Formats settings as a file for {@link readSettings}. */
export function settingsToYaml(settings: Record<string, unknown>): string {
  return stringify(settings);
}
