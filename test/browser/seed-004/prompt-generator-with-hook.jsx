import React, { useState } from 'react';
import { createClient } from 'llm-jobs/client';
import { useLlmJob } from 'llm-jobs/react';

const client = createClient({ token: () => localStorage.getItem('token') ?? undefined });
const ERRORS = { cancelled: 'The generation was cancelled', job_not_found: 'Task not found' };

function PromptGenerator() {
  const [manualPrompt, setManualPrompt] = useState('');
  const { submit, result, error: jobError, status, progress, isPending: isGenerating } = useLlmJob({ client });
  const error = ERRORS[jobError?.code ?? status] ?? jobError?.message;
  const generatedPrompt = result?.result;

  // Start async generation
  const handleGenerate = async () => {
    submit({ job_type: 'prompt_generation', model_id: 'simulated', input_data: { manual_prompt: manualPrompt } });
  };

  return (
    <div className="prompt-generator">
      <h2>AI Prompt Generator</h2>
      
      <textarea
        value={manualPrompt}
        onChange={(e) => setManualPrompt(e.target.value)}
        placeholder="Enter your manual prompt..."
        rows={8}
        disabled={isGenerating}
      />
      
      <button 
        onClick={handleGenerate} 
        disabled={isGenerating || !manualPrompt.trim()}
      >
        {isGenerating ? 'Generating...' : 'Generate AI Prompt'}
      </button>
      
      {isGenerating && (
        <div className="generation-progress">
          <div className="progress-bar">
            <div 
              className="progress-fill" 
              style={{ width: `${progress}%` }}
            />
          </div>
          <p className="progress-text">
            {progress}% - {status?.message || 'Processing...'}
          </p>
        </div>
      )}
      
      {error && (
        <div className="error-message">
          âŒ {error}
        </div>
      )}
      
      {generatedPrompt && (
        <div className="result">
          <h3>✅ Generated Prompt:</h3>
          <pre>{generatedPrompt}</pre>
          <button onClick={() => {
            navigator.clipboard.writeText(generatedPrompt);
            alert('Copied to clipboard!');
          }}>
            Copy to Clipboard
          </button>
        </div>
      )}
    </div>
  );
}

export default PromptGenerator;
