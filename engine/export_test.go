package engine

import "context"

// ReadShort is the short way of Read; nil when it cannot be taken.
func (e *Engine) ReadShort(ctx context.Context, q Query) (*Answer, error) { return e.find(ctx, &q) }

// ReadWhole is Read without its short way.
func (e *Engine) ReadWhole(ctx context.Context, q Query) (*Answer, error) { return e.readWhole(ctx, q) }

// Waiting is how many operations wait or are under way.
func (e *Engine) Waiting() int64 { return e.waiting.Load() }

// Stopping tells whether the engine was told to stop.
func (e *Engine) Stopping() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.stopping
}

// Forget takes a step of forgetting what is old.
func (e *Engine) Forget(ctx context.Context) (more bool, err error) { return e.forget(ctx) }
