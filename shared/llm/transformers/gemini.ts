/**
 * A request in Gemini's words (`generateContent`). Pure.
 *
 * @see https://ai.google.dev/api/generate-content
 */
import type {
  Content,
  FunctionCallingMode,
  FunctionDeclaration,
  GenerateContentRequest,
  GenerationConfig,
  ToolConfig,
} from '@google/generative-ai';
import type { JsonObject, LlmRequest, Tool, ToolChoice } from '../../core/llm.ts';
import { toGeminiSchema } from '../structured/dialects.ts';
import { toContents } from './gemini-contents.ts';
import { type ThinkingConfig, toThinking } from './gemini-thinking.ts';
import { CHOICE_WITHOUT_TOOLS, given, leftOut, systemTextOf, type Transformed } from './transformer.ts';

/** The package's types end in 2025; these are fields of the public API that came later. */
export type GeminiBody = Omit<GenerateContentRequest, 'generationConfig' | 'tools' | 'systemInstruction'> & {
  systemInstruction?: Content;
  generationConfig?: GenerationConfig & { responseJsonSchema?: JsonObject; thinkingConfig?: ThinkingConfig };
  tools?: { functionDeclarations: (FunctionDeclaration & { parametersJsonSchema: JsonObject })[] }[];
};

/** System messages become the system instruction; Gemini calls the assistant `model`. */
export function toGeminiBody(request: LlmRequest): Transformed<GeminiBody> {
  const { tools = [], toolChoice } = request;
  const { contents, warnings } = toContents(request.messages);
  const { generationConfig, warning } = generationOf(request);
  const body: GeminiBody = {
    contents,
    ...given(systemTextOf(request), (text) => ({ systemInstruction: { role: 'system', parts: [{ text }] } })),
    ...(Object.keys(generationConfig).length > 0 ? { generationConfig } : {}),
    ...(tools.length > 0 ? { tools: [{ functionDeclarations: tools.map(toDeclaration) }] } : {}),
    ...(tools.length > 0 ? given(toolChoice, (choice) => ({ toolConfig: toToolConfig(choice) })) : {}),
  };
  if (warning !== undefined) warnings.push(warning);
  if (request.verbosity !== undefined) warnings.push(leftOut('Gemini', 'verbosity'));
  if (request.fileSearch) warnings.push(leftOut('Gemini', 'file search (vector_store_id)'));
  if (toolChoice !== undefined && tools.length === 0) warnings.push(CHOICE_WITHOUT_TOOLS);
  return { body, warnings };
}

type Config = NonNullable<GeminiBody['generationConfig']>;

function generationOf(request: LlmRequest): { generationConfig: Config; warning?: string | undefined } {
  const { model, reasoningEffort } = request;
  const { config, warning } = reasoningEffort === undefined ? {} : toThinking(model, reasoningEffort);
  const generationConfig: Config = {
    ...given(request.temperature, (temperature) => ({ temperature })),
    ...given(request.topP, (topP) => ({ topP })),
    ...given(request.maxOutputTokens, (maxOutputTokens) => ({ maxOutputTokens })),
    ...given(request.responseSchema, ({ schema }) => ({
      responseMimeType: 'application/json',
      responseJsonSchema: toGeminiSchema(schema),
    })),
    ...given(config, (thinkingConfig) => ({ thinkingConfig })),
  };
  return { generationConfig, warning };
}

function toDeclaration({ name, description, parameters }: Tool): FunctionDeclaration & {
  parametersJsonSchema: JsonObject;
} {
  return {
    name,
    ...given(description, (text) => ({ description: text })),
    parametersJsonSchema: toGeminiSchema(parameters),
  };
}

const MODES = { auto: 'AUTO', none: 'NONE', required: 'ANY' } as const satisfies Record<
  string,
  `${FunctionCallingMode}`
>;

function toToolConfig(choice: ToolChoice): ToolConfig {
  const mode = typeof choice === 'string' ? MODES[choice] : MODES.required;
  return {
    functionCallingConfig: {
      // A cast, for the type is an enum, whose values exist only in the package, which is not loaded here; `MODES` is
      // checked against them.
      mode: mode as FunctionCallingMode,
      ...(typeof choice === 'string' ? {} : { allowedFunctionNames: [choice.name] }),
    },
  };
}
