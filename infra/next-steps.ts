import type { Config } from '../shared/config.ts';

/** What a start says when it is ready: where it is, and a command that can be pasted, with a key where one is needed. */
export function nextSteps(baseUrl: string, note: string, { authModes, surfaces, console }: Config): string {
  const credentials = authModes.length === 0 ? '' : ' -H "Authorization: Bearer $KEY"';
  const who =
    authModes.length === 0
      ? ''
      : `\nCallers need credentials (AUTH_MODE=${authModes.join(',')}); see functions/README.md.\n`;
  const ready = `
llm-jobs is ready at ${baseUrl} (${note}; Ctrl-C stops it)
${console ? 'Open it in a browser: its console is there.\n' : ''}${who}`;
  if (!surfaces.includes('llm-jobs')) return `${ready}\nIts API is described at ${baseUrl}/docs\n`;
  const body = JSON.stringify({
    job_type: 'general_llm_request',
    model_id: 'simulated',
    input_data: { prompt: 'Say hello.' },
  });
  return `${ready}
Submit a job, then poll it with the job_id it answers:

  curl -s ${baseUrl}/api/llm/jobs/submit/ -H 'Content-Type: application/json'${credentials} \\
    -d '${body}'

  curl -s ${baseUrl}/api/llm/jobs/JOB_ID/status/${credentials}
`;
}
