import { type Command, InvalidArgumentError, Option } from 'commander';
import { z } from 'zod';

/** What a schema alone does not say of a flag. */
interface About {
  /** What stands for the value in the help, such as `<n>`; a list is `<name...>`. Absent for a switch. */
  value?: string;
  /** For the help; absent where the flag has only a negated form. */
  help?: string;
  /** For the help of `--no-…`, which sets the flag to false. */
  negated?: string;
  /** What the help shows in place of the default. */
  shownDefault?: string;
  /** The environment variable that it is read from where it is not given. */
  env?: string;
  /** The heading of the help under which it stands. */
  group?: string;
  /** Names of flags that cannot be given beside it. */
  conflicts?: string[];
  /** Not in the help. */
  hidden?: true;
}

const abouts = z.registry<About>();

/** A field of a schema of flags, which {@link addFlags} makes an option. */
export function flag<Schema extends z.ZodType>(schema: Schema, about: About): Schema {
  const field = schema.clone(); // a registry knows a schema by its identity, and one may serve several flags
  abouts.add(field, about);
  return field;
}

/** Fields of a schema of flags under a heading of the help. */
export function group<Shape extends Record<string, z.ZodType>>(heading: string, shape: Shape): Shape {
  const entries = Object.entries(shape).map(([name, schema]) => [
    name,
    flag(schema, { ...aboutOf(name, schema), group: heading }),
  ]);
  return Object.fromEntries(entries);
}

/** A switch that is off where it is absent. */
export function toggle(help: string) {
  return flag(z.boolean().optional(), { help });
}

/** A whole number from 1 on. */
export const count = z.int().min(1);
/** A whole number from 0 on. */
export const whole = z.int().min(0);

/**
 * Adds an option for each field of a schema, in its order: `dataDir` is `--data-dir`. A value is parsed by its field as it
 * is read; what is wrong ends the process with the flag's name, what is expected, and how to list the flags.
 */
function addFlags(command: Command, flags: z.ZodObject): Command {
  for (const [name, schema] of Object.entries(flags.shape)) {
    for (const option of optionsOf(name, schema as z.ZodType)) command.addOption(option);
  }
  return command.showHelpAfterError('(--help lists the flags)');
}

/**
 * Adds the flags, and what the command does with their values and its arguments.
 * @param act gets the arguments after the flags, as commander reads them.
 */
export function action<Flags extends z.ZodObject, Arguments extends unknown[]>(
  command: Command,
  flags: Flags,
  act: (flags: z.output<Flags>, ...given: Arguments) => unknown,
): Command {
  return addFlags(command, flags).action(async () => {
    await act(command.opts<z.output<Flags>>(), ...(command.processedArgs as Arguments));
  });
}

function optionsOf(name: string, schema: z.ZodType): Option[] {
  const about = aboutOf(name, schema);
  const { value, help, negated } = about;
  const kebab = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  const options: Option[] = [];
  if (help !== undefined) {
    const option = new Option(value ? `--${kebab} ${value}` : `--${kebab}`, help);
    const { inner, fallback } = unwrapped(schema);
    if (fallback !== undefined) option.default(fallback, about.shownDefault);
    if (value) readWith(option, inner, fallback);
    options.push(placed(option, about));
  }
  if (negated !== undefined) options.push(placed(new Option(`--no-${kebab}`, negated), { group: about.group }));
  return options;
}

function aboutOf(name: string, schema: z.ZodType): About {
  const about = abouts.get(schema);
  if (!about) throw new Error(`the flag ${name} has no help: make it with flag()`);
  return about;
}

function placed(option: Option, { env, group, conflicts = [], hidden }: About): Option {
  if (env) option.env(env);
  if (group) option.helpGroup(group);
  if (hidden) option.hideHelp();
  return option.conflicts(conflicts);
}

/** A schema without what makes a value optional, and the value that stands for an absent one. */
function unwrapped(schema: z.ZodType): { inner: z.ZodType; fallback: unknown } {
  if (schema instanceof z.ZodDefault)
    return { inner: unwrapped(schema.unwrap() as z.ZodType).inner, fallback: schema.def.defaultValue };
  if (schema instanceof z.ZodOptional) return unwrapped(schema.unwrap() as z.ZodType);
  return { inner: schema, fallback: undefined };
}

function readWith(option: Option, schema: z.ZodType, fallback: unknown): void {
  if (schema instanceof z.ZodEnum) option.choices(schema.options.map(String));
  else if (schema instanceof z.ZodArray) {
    const element = schema.element as z.ZodType;
    option.argParser((text, former: unknown) => [
      ...(Array.isArray(former) && former !== fallback ? former : []),
      read(element, text),
    ]);
  } else option.argParser((text) => read(schema, text));
}

/**
 * Parses the text of a flag as a schema says.
 * @throws InvalidArgumentError saying what is expected.
 */
function read<Schema extends z.ZodType>(schema: Schema, text: string): z.output<Schema> {
  const isNumber = schema instanceof z.ZodNumber;
  const result = schema.safeParse(isNumber ? readNumber(text, schema.isInt) : text);
  if (result.success) return result.data;
  if (isNumber) throw new InvalidArgumentError(`Expected ${rangeOf(schema)}.`);
  throw new InvalidArgumentError(`${result.error.issues[0]?.message ?? 'Invalid'}.`);
}

const WHOLE = /^[+-]?\d+$/;
const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** A whole number is digits alone; another may have a fraction and an exponent. NaN for what is none. */
export function readNumber(text: string, isWhole = false): number {
  return (isWhole ? WHOLE : DECIMAL).test(text) ? Number(text) : Number.NaN;
}

/** Such as "a whole number from 1 to 10". */
function rangeOf(schema: z.ZodNumber): string {
  const noun = schema.isInt ? 'a whole number' : 'a number';
  const min = boundOf(schema.minValue);
  const max = boundOf(schema.maxValue);
  if (min === null) return max === null ? noun : `${noun} up to ${max}`;
  if (!schema.safeParse(min).success) return `${noun} above ${min}`;
  return max === null ? `${noun} from ${min} on` : `${noun} from ${min} to ${max}`;
}

/** Null for a bound that is only that of the numbers themselves. */
function boundOf(bound: number | null): number | null {
  return bound === null || Math.abs(bound) >= Number.MAX_SAFE_INTEGER ? null : bound;
}
