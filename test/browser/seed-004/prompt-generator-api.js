class PromptGeneratorAPI {
  constructor(apiBaseUrl, authToken) {
    this.apiBaseUrl = apiBaseUrl;
    this.authToken = authToken;
    this.pollingInterval = null;
  }

  // Start async generation
  async startGeneration(manualPrompt, onProgress, onComplete, onError) {
    try {
      const response = await fetch(`${this.apiBaseUrl}/generate-prompt-async/`, {
        method: 'POST',
        headers: {
          'Authorization': `Bearer ${this.authToken}`,
          'Content-Type': 'application/json'
        },
        body: JSON.stringify({ manual_prompt: manualPrompt })
      });

      const data = await response.json();

      if (data.success) {
        // Start polling
        this.pollStatus(data.task_id, onProgress, onComplete, onError);
        return data.task_id;
      } else {
        onError(data.message);
        return null;
      }
    } catch (error) {
      onError('Failed to start generation');
      return null;
    }
  }

  // Poll for status
  pollStatus(taskId, onProgress, onComplete, onError) {
    this.pollingInterval = setInterval(async () => {
      try {
        const response = await fetch(
          `${this.apiBaseUrl}/generate-prompt-async/status/${taskId}/`,
          {
            headers: {
              'Authorization': `Bearer ${this.authToken}`
            }
          }
        );

        const data = await response.json();

        // Call progress callback
        onProgress({
          status: data.status,
          progress: data.progress || 0,
          message: data.message
        });

        if (data.status === 'completed') {
          this.stopPolling();
          onComplete(data.prompt, data.generated_by_ai);
        } else if (data.status === 'failed') {
          this.stopPolling();
          onError(data.error || data.message);
        }
      } catch (error) {
        this.stopPolling();
        onError('Failed to check status');
      }
    }, 1000); // Poll every 1 second
  }

  // Stop polling
  stopPolling() {
    if (this.pollingInterval) {
      clearInterval(this.pollingInterval);
      this.pollingInterval = null;
    }
  }
}
