/** Vertex AI through its Chat Completions: a token of Google Cloud in place of a key. */
import type { LlmProvider } from '../../core/llm.ts';
import { toVertexBody } from '../transformers/vertex.ts';
import { googleToken } from './google-token.ts';
import { type ChatOptions, openaiCompatibleProvider } from './openai-compatible.ts';
import { redactedProvider } from './redacted.ts';

export type VertexOptions = Pick<ChatOptions, 'client' | 'transform'> & {
  project: string;
  /** A region, or `global`. */
  location: string;
  /** A private endpoint, in place of the location's own. */
  baseUrl?: string | undefined;
  /** Brings an access token; throws a `ServiceError`. Application Default Credentials when absent. */
  token?: (() => Promise<string>) | undefined;
};

/**
 * Where a project's models are.
 *
 * @see https://cloud.google.com/vertex-ai/generative-ai/docs/migrate/openai/auth-and-credentials
 */
export function vertexUrl({ project, location }: Pick<VertexOptions, 'project' | 'location'>): string {
  const host = location === 'global' ? 'aiplatform.googleapis.com' : `${location}-aiplatform.googleapis.com`;
  const path = `projects/${encodeURIComponent(project)}/locations/${encodeURIComponent(location)}`;
  return `https://${host}/v1/${path}/endpoints/openapi`;
}

/** Tokens last an hour: a call may still hold the one before the newest. */
const TOKENS_KNOWN = 2;

export function vertexProvider(options: VertexOptions): LlmProvider {
  const { client, transform, token = googleToken(options) } = options;
  const secrets: string[] = [];
  const apiKey = async () => {
    const brought = await token();
    if (!secrets.includes(brought)) secrets.unshift(brought);
    secrets.length = Math.min(secrets.length, TOKENS_KNOWN);
    return brought;
  };
  const baseUrl = options.baseUrl ?? vertexUrl(options);
  const chat = openaiCompatibleProvider({ apiKey, baseUrl, client, transform: transform ?? toVertexBody });
  return redactedProvider(chat, secrets);
}
