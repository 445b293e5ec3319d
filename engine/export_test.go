package engine

// Waiting is how many operations wait or are under way.
func (e *Engine) Waiting() int64 { return e.waiting.Load() }
