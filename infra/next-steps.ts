/** What a start says when it is ready: where it is, and a command that can be pasted. */
export function nextSteps(baseUrl: string, note: string): string {
  const body = JSON.stringify({
    job_type: 'general_llm_request',
    model_id: 'simulated',
    input_data: { prompt: 'Say hello.' },
  });
  return `
llm-jobs is ready at ${baseUrl} (${note}; Ctrl-C stops it)

Submit a job, then poll it with the job_id it answers:

  curl -s ${baseUrl}/api/llm/jobs/submit/ -H 'Content-Type: application/json' \\
    -d '${body}'

  curl -s ${baseUrl}/api/llm/jobs/JOB_ID/status/
`;
}
