import React, { useState, useEffect, useRef } from 'react';

function PromptGenerator() {
  const [manualPrompt, setManualPrompt] = useState('');
  const [taskId, setTaskId] = useState(null);
  const [status, setStatus] = useState(null);
  const [progress, setProgress] = useState(0);
  const [generatedPrompt, setGeneratedPrompt] = useState(null);
  const [error, setError] = useState(null);
  const [isGenerating, setIsGenerating] = useState(false);
  const pollingInterval = useRef(null);

  // Start async generation
  const handleGenerate = async () => {
    try {
      setIsGenerating(true);
      setError(null);
      setProgress(0);
      
      const response = await fetch('/api/v1/web-knowledge/generate-prompt-async/', {
        method: 'POST',
        headers: {
          'Authorization': `Bearer ${localStorage.getItem('token')}`,
          'Content-Type': 'application/json'
        },
        body: JSON.stringify({ manual_prompt: manualPrompt })
      });
      
      const data = await response.json();
      
      if (data.success) {
        setTaskId(data.task_id);
        // Start polling
        startPolling(data.task_id);
      } else {
        setError(data.message);
        setIsGenerating(false);
      }
    } catch (err) {
      setError('Failed to start generation');
      setIsGenerating(false);
    }
  };

  // Poll for status
  const startPolling = (taskId) => {
    pollingInterval.current = setInterval(async () => {
      try {
        const response = await fetch(
          `/api/v1/web-knowledge/generate-prompt-async/status/${taskId}/`,
          {
            headers: {
              'Authorization': `Bearer ${localStorage.getItem('token')}`
            }
          }
        );
        
        const data = await response.json();
        
        setStatus(data.status);
        setProgress(data.progress || 0);
        
        if (data.status === 'completed') {
          // Success!
          setGeneratedPrompt(data.prompt);
          setIsGenerating(false);
          stopPolling();
        } else if (data.status === 'failed') {
          // Error
          setError(data.error || data.message);
          setIsGenerating(false);
          stopPolling();
        }
        // Otherwise keep polling (status: queued or processing)
        
      } catch (err) {
        setError('Failed to check status');
        setIsGenerating(false);
        stopPolling();
      }
    }, 1000); // Poll every 1 second
  };

  // Stop polling
  const stopPolling = () => {
    if (pollingInterval.current) {
      clearInterval(pollingInterval.current);
      pollingInterval.current = null;
    }
  };

  // Cleanup on unmount
  useEffect(() => {
    return () => stopPolling();
  }, []);

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
