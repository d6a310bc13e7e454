/** `EstimateStore` on SQLite. */
import type Database from 'libsql';
import type { Estimate, EstimateStore } from '../core/ports.ts';
import { answered } from './sqlite-database.ts';

export function sqliteEstimateStore(database: Database.Database): EstimateStore {
  const select = database.prepare(
    'SELECT usual_ms AS usualMs, jobs FROM estimates WHERE tenant = ? AND job_type = ? AND model_id = ?',
  );
  const upsert = database.prepare(
    'INSERT OR REPLACE INTO estimates (tenant, job_type, model_id, usual_ms, jobs) VALUES (?, ?, ?, ?, ?)',
  );
  return {
    get: answered(({ tenant, jobType, modelId }) => {
      const row = select.get(tenant, jobType, modelId) as Estimate | undefined;
      // A row holds more than its columns.
      return row && { usualMs: row.usualMs, jobs: row.jobs };
    }),
    put: answered(({ tenant, jobType, modelId }, { usualMs, jobs }) => {
      upsert.run(tenant, jobType, modelId, usualMs, jobs);
    }),
  };
}
