import type { StoreFormat } from '../format.ts';
import { hasTables, SqliteCopy } from '../sqlite-copy.ts';
import { databaseRuns } from './database.ts';
import { fileStoreRuns, isFileStore } from './file-store.ts';
import { Postgres } from './postgres.ts';

const POSTGRES = /^postgres(ql)?(\+\w+)?:\/\//;

/** MLflow's tracking stores: a SQLite file, a PostgreSQL database by its URL, or a folder `mlruns`. */
export const mlflow: StoreFormat = {
  name: 'mlflow',
  matches: async (path) =>
    POSTGRES.test(path) || (await hasTables(path, ['experiments', 'latest_metrics'])) || isFileStore(path),
  async *runs(path) {
    if (POSTGRES.test(path)) {
      await using source = await Postgres.open(path);
      yield* databaseRuns(source);
    } else if (await isFileStore(path)) yield* fileStoreRuns(path);
    else {
      await using source = await SqliteCopy.open(path);
      yield* databaseRuns(source);
    }
  },
};
