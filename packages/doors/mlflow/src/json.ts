import { quoteNonFinite } from '@evenkeel/protocol';
import { MlflowError } from './error.ts';

/**
 * Reads JSON, also with bare NaN and infinities, as Python writes it: these become strings.
 * @throws MlflowError where it is no JSON.
 */
export function parseJson(text: string): unknown {
  if (text.trim() === '') return {};
  try {
    return JSON.parse(text);
  } catch {
    return parsePythonJson(text);
  }
}

function parsePythonJson(text: string): unknown {
  try {
    return JSON.parse(quoteNonFinite(text));
  } catch {
    throw new MlflowError('INVALID_PARAMETER_VALUE', 'the body of the request is no JSON');
  }
}
