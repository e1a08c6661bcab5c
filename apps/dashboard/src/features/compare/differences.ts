import { flattenConfig } from '../run/config.ts';

export interface Difference {
  /** Of what the configurations hold, as `model.dim`. */
  name: string;
  /** By run; null where a run has no such value. */
  values: (string | null)[];
}

/** What configurations, each as JSON, do not have in common, sorted by name. */
export function differencesOf(configs: readonly string[]): Difference[] {
  const flat = configs.map((config) => new Map(flattenConfig(JSON.parse(config))));
  const names = [...new Set(flat.flatMap((config) => [...config.keys()]))];
  return names
    .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
    .map((name) => ({ name, values: flat.map((config) => config.get(name) ?? null) }))
    .filter(({ values }) => new Set(values).size > 1);
}
