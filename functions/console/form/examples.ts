/** What stands in a form at first: good enough to press *Submit* at once. */
import type { Values } from './values.ts';

const NOTEBOOK = {
  nbformat: 4,
  cells: [
    { cell_type: 'markdown', source: '# Mean of a list' },
    {
      cell_type: 'code',
      source: 'def mean(numbers):\n    return sum(numbers) / len(numbers)\n\nmean([])',
      outputs: [],
    },
  ],
};

export const EXAMPLES: Readonly<Record<string, Values>> = {
  general_llm_request: { 'input_data.prompt': 'Why is the sky blue? Answer in two sentences.' },
  trainer_question_analysis: {
    'input_data.system_message': 'You check exercises before learners see them.',
    'input_data.full_input': 'Question: Which planet is nearest to the sun?\nAnswer: Mercury.',
  },
  review_colab: {
    'input_data.notebook': JSON.stringify(NOTEBOOK, undefined, 2),
    'input_data.instructions': 'Which inputs does it not expect?',
  },
  structured_extraction: {
    'input_data.text': 'The bakery in Bern opens at seven, and its bread is wonderful. Ask for Anna: anna@example.com.',
  },
  prompt_generation: { 'input_data.manual_prompt': 'Answer questions about our bakery in Bern.' },
};
