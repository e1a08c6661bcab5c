import manifest from '../package.json' with { type: 'json' };
import { UsageError } from './usage-error.ts';

const { '@tensorflow/tfjs': core, '@tensorflow/tfjs-backend-wasm': wasm } = manifest.peerDependencies;

/** What trains: TensorFlow.js, and the backend that runs everywhere. */
export const TENSORFLOW = { '@tensorflow/tfjs': core, '@tensorflow/tfjs-backend-wasm': wasm };

/**
 * Checks that npm packages are there which an installation need not have.
 * @param packages their versions by their names.
 * @throws UsageError with the command that installs those that are absent.
 */
export function requirePackages(packages: Readonly<Record<string, string>>): void {
  const absent = Object.entries(packages).filter(([name]) => !isInstalled(name));
  if (absent.length === 0) return;
  const wanted = absent.map(([name, version]) => `${name}@${version}`).join(' ');
  throw new UsageError(
    `this command needs packages that are not installed. Install them beside evenkeel:\n  npm install ${wanted}`,
  );
}

function isInstalled(name: string): boolean {
  try {
    import.meta.resolve(name);
    return true;
  } catch (error) {
    return !isAbsent(error, name);
  }
}

/** Whether an import failed because a package is not installed. */
export function isAbsent(error: unknown, specifier: string): boolean {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === 'ERR_MODULE_NOT_FOUND' && message.includes(`'${specifier}'`);
}
