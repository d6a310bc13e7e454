/** What holds where nothing else is said. */

/** What vendors take for the temperature when a request names none. */
export const DEFAULT_TEMPERATURE = 1.0;
/** What vendors take for `top_p` when a request names none. */
export const DEFAULT_TOP_P = 1.0;
/** How many passages a file search finds at most when a request does not say. */
export const DEFAULT_MAX_RESULTS = 20;

/** The providers that are built in. Those that a program registered are in `supportedProviders()`, too. */
export const SUPPORTED_PROVIDERS = [
  'simulated',
  'openai',
  'gemini',
  'anthropic',
  'vertex',
  'openai-compatible',
] as const;
