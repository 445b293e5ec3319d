package engine

// Waiting is how many operations wait or are under way.
func (e *Engine) Waiting() int64 { return e.waiting.Load() }

// Stopping tells whether the engine was told to stop.
func (e *Engine) Stopping() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.stopping
}
