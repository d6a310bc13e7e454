/** The bare floor's `status`: one document as JSON. */
import type { HttpFunction } from '@google-cloud/functions-framework';
import { read } from './documents.ts';

export const status: HttpFunction = async ({ path }, response) => {
  // `/api/llm/jobs/<id>/status/`, as ours.
  const id = path.split('/')[4] ?? '';
  const { fields } = await read(id);
  const { state, result } = fields;
  const view = {
    ...{ success: true, job_id: id, status: state?.stringValue },
    ...(result ? { result_data: JSON.parse(result.stringValue) } : {}),
  };
  response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(view));
};
