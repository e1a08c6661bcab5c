import type { Sort } from '../run/list-request.ts';

export interface BoardColumn {
  /** Names its cells, for their width and their place on a narrow screen. */
  name: 'name' | 'project' | 'status' | 'step' | 'pace' | 'loss' | 'tev' | 'risk' | 'alerts' | 'owner' | 'age';
  label: string;
  unit?: string;
  /** What the label does not say. */
  meaning?: string;
  /** What the server sorts by. */
  sort?: Sort['by'];
}

export const BOARD_COLUMNS: readonly BoardColumn[] = [
  { name: 'name', label: 'Name', sort: 'name' },
  { name: 'project', label: 'Project', sort: 'project' },
  { name: 'status', label: 'Status', sort: 'status' },
  { name: 'step', label: 'Step', sort: 'step' },
  { name: 'pace', label: 'Steps/s' },
  { name: 'loss', label: 'Loss', unit: 'nats', sort: 'loss' },
  { name: 'tev', label: 'TEV', meaning: 'Token Embedding Variability: mean over the vocabulary', sort: 'tev' },
  { name: 'risk', label: 'Risk', meaning: 'of divergence within 100 steps', sort: 'risk' },
  { name: 'alerts', label: 'Alerts', meaning: 'that are not resolved', sort: 'alerts' },
  { name: 'owner', label: 'Owner', sort: 'owner' },
  { name: 'age', label: 'Age', sort: 'started' },
];
