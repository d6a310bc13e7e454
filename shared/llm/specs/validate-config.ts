/** Does what a request asks of a model fit that model? Pure. */
import {
  type ConfigIssue,
  type ModelConfig,
  type ModelSpec,
  nameOf,
  type ParameterName,
  type ParameterSpec,
  parameterOf,
  supports,
} from './model-spec.ts';

const VALUES: { readonly [name in ParameterName]: (config: ModelConfig) => unknown } = {
  temperature: (config) => config.temperature,
  top_p: (config) => config.top_p,
  max_tokens: (config) => config.max_tokens,
  'reasoning.effort': (config) => config.reasoning?.effort,
  'text.verbosity': (config) => config.text?.verbosity,
};

/** Every violation, in the order of the fields; none when the model takes all of it. */
export function validateConfig(spec: ModelSpec, config: ModelConfig): ConfigIssue[] {
  const notTaken = `is not taken by ${nameOf(spec)}; leave it out`;
  const issues: ConfigIssue[] = [];
  for (const name of Object.keys(VALUES) as ParameterName[]) {
    const value = VALUES[name](config);
    if (value === undefined) continue;
    const parameter = parameterOf(spec, name);
    if (!parameter) issues.push({ path: name, message: notTaken });
    else if (!isAllowed(parameter, value)) issues.push({ path: name, message: ruleOf(parameter) });
  }
  const { vector_store_id, tools = [], response_schema, hasImages } = config;
  if (vector_store_id !== undefined && !supports(spec, 'fileSearch')) {
    issues.push({ path: 'vector_store_id', message: notTaken });
  }
  if (tools.length > 0 && !supports(spec, 'tools')) issues.push({ path: 'tools', message: notTaken });
  if (response_schema !== undefined && !supports(spec, 'structuredOutput')) {
    issues.push({ path: 'response_schema', message: notTaken });
  }
  if (hasImages && !supports(spec, 'vision')) {
    issues.push({ path: 'messages', message: `must hold no image: ${nameOf(spec)} cannot see` });
  }
  return issues;
}

/** Does a parameter take this value? */
export function isAllowed(parameter: ParameterSpec, value: unknown): boolean {
  if (parameter.type === 'enum') return typeof value === 'string' && parameter.allowedValues.includes(value);
  const { type, minValue = -Infinity, maxValue = Infinity } = parameter;
  const isRight = type === 'int' ? Number.isSafeInteger(value) : Number.isFinite(value);
  return isRight && minValue <= Number(value) && Number(value) <= maxValue;
}

/** What would be right: `must be a number from 0 to 2`. */
function ruleOf(parameter: ParameterSpec): string {
  if (parameter.type === 'enum') return `must be one of: ${parameter.allowedValues.join(', ')}`;
  const { type, minValue, maxValue } = parameter;
  const kind = type === 'int' ? 'a whole number' : 'a number';
  if (minValue === undefined) return `must be ${kind}${maxValue === undefined ? '' : ` of at most ${maxValue}`}`;
  return `must be ${kind} ${maxValue === undefined ? `of at least ${minValue}` : `from ${minValue} to ${maxValue}`}`;
}
