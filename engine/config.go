package engine

import (
	"context"
	"slices"

	"casm"
	"casm/command"
	"casm/store"
)

// configJob is a change of configuration that waits for the committer.
type configJob struct {
	edits func(*casm.Snapshot) []command.ConfigEdit
	// tried is what earlier attempts decided. One of which the outcome was
	// unknown may have been committed.
	tried []triedConfig
}

// triedConfig is one attempt: what it changes, and by what it is known.
type triedConfig struct {
	changes []command.ConfigChange
	first   store.ConfigChange
}

// EditConfig applies edits to the configuration, all or none, and returns what
// changed. Errors: casm.Violations and those of Write. A write begun after it
// returned sees the new configuration.
func (e *Engine) EditConfig(ctx context.Context, actor string, dryRun bool, edits []command.ConfigEdit) ([]command.ConfigChange, error) {
	return e.editConfig(ctx, actor, dryRun, func(*casm.Snapshot) []command.ConfigEdit { return edits })
}

// ImportConfig makes the collections of a document, by path, equal to it, all
// or nothing, and returns what changed (contract 5). Errors as of EditConfig.
func (e *Engine) ImportConfig(ctx context.Context, actor string, dryRun bool, document map[string][]casm.ConfigItem) ([]command.ConfigChange, error) {
	return e.editConfig(ctx, actor, dryRun, func(s *casm.Snapshot) []command.ConfigEdit { return command.Import(s, document) })
}

func (e *Engine) editConfig(ctx context.Context, actor string, dryRun bool, edits func(*casm.Snapshot) []command.ConfigEdit) ([]command.ConfigChange, error) {
	out, err := e.do(ctx, &job{actor: actor, dryRun: dryRun, config: &configJob{edits: edits}})
	if err == nil && len(out.errs) > 0 {
		err = out.errs[0]
	}
	return out.changes, err
}

// ConfigHistory returns an item's versions, deletions included, newest first.
func (e *Engine) ConfigHistory(ctx context.Context, ref casm.CodeRef, limit int) (list []store.ConfigChange, err error) {
	err = e.store.View(ctx, func(r store.Reader) error {
		list, err = r.ConfigHistory(ctx, store.CodeKey(ref), limit)
		return err
	})
	return list, err
}

// runConfig decides a change of configuration; what comes after it in the
// batch sees it.
func (b *batch) runConfig(j *job) outcome {
	if done := b.configDone(j.config); done != nil {
		return outcome{changes: done}
	}
	now := b.tick()
	out, v := command.DecideConfig(b.config, j.config.edits(b.config), b.uses, b.lastVersion)
	if b.source.err != nil {
		return outcome{err: b.source.err}
	}
	if len(v) > 0 {
		return outcome{errs: []error{v}}
	}
	if len(out.Changes) == 0 {
		return outcome{}
	}
	for _, c := range out.Changes {
		change := store.ConfigChange{CodeKey: store.CodeKey(c.CodeRef), At: now, Actor: j.actor}
		if c.After != nil {
			var err error
			if change.Doc, err = casm.EncodeItem(c.After); err != nil {
				return outcome{err: err}
			}
			if k, ok := c.After.(casm.ItemKeeper); ok {
				if change.Kept, err = casm.EncodeItem(k.Kept()); err != nil {
					return outcome{err: err}
				}
			}
			change.Version = c.After.Base().Version
		} else {
			change.Version = c.Before.Base().Version + 1
		}
		b.write.config = append(b.write.config, change)
		b.endpoint(c)
	}
	j.config.tried = append(j.config.tried, triedConfig{out.Changes, b.write.config[len(b.write.config)-len(out.Changes)]})
	b.config = out.Snapshot
	return outcome{changes: out.Changes}
}

// endpoint lets an endpoint that is made get what is committed from here on
// (contract 7). What an earlier commit of the same moment wrote may be among it.
func (b *batch) endpoint(c command.ConfigChange) {
	if c.Collection != casm.PubSubEndpoints {
		return
	}
	key := store.CodeKey(c.CodeRef)
	b.write.progress = slices.DeleteFunc(b.write.progress, func(p store.ProgressChange) bool { return p.CodeKey == key })
	if c.Before == nil {
		after := casm.Position{Transaction: b.loaded.Head.Position, Ordinal: casm.MaxOrdinal}
		b.write.progress = append(b.write.progress, store.ProgressChange{Progress: store.Progress{CodeKey: key, Version: 1, Began: c.After.Base().Version, After: after, Doc: []byte("{}")}})
	}
}

// configDone returns what an attempt made before changed if it was committed,
// else nil. A change of configuration has no requestId by which that is found.
func (b *batch) configDone(c *configJob) []command.ConfigChange {
	histories := map[store.CodeKey][]store.ConfigChange{}
	for _, t := range c.tried {
		key := t.first.CodeKey
		if _, read := histories[key]; !read {
			list, err := b.reader.ConfigHistory(b.ctx, key, maxTried)
			if err != nil {
				b.source.fail(err)
				return nil
			}
			histories[key] = list
		}
		if slices.ContainsFunc(histories[key], func(x store.ConfigChange) bool {
			return x.Version == t.first.Version && x.At == t.first.At && x.Actor == t.first.Actor
		}) {
			return t.changes
		}
	}
	return nil
}

// maxTried is how many versions of an item may have come about since an attempt.
const maxTried = 100

// uses counts the references of entities to a code, this batch's included.
func (b *batch) uses(ref casm.CodeRef) int64 {
	key := store.CodeKey(ref)
	counts, err := b.reader.Uses(b.ctx, []store.CodeKey{key})
	if err != nil {
		b.source.fail(err)
	}
	return counts[key] + b.write.uses[key]
}

// lastVersion returns the version that a deleted item had last.
func (b *batch) lastVersion(ref casm.CodeRef) int64 {
	key := store.CodeKey(ref)
	for _, c := range slices.Backward(b.write.config) {
		if c.CodeKey == key {
			return c.Version
		}
	}
	list, err := b.reader.ConfigHistory(b.ctx, key, 1)
	if err != nil {
		b.source.fail(err)
	}
	if len(list) == 0 {
		return 0
	}
	return list[0].Version
}

// heldItem is an item that every installation holds.
type heldItem struct {
	collection string
	item       casm.ConfigItem
}

// builtin is what every installation holds (contract 5), beside the roles.
var builtin = []heldItem{
	{"state-reasons", &casm.StateReason{Item: casm.Item{Code: "dfltInactive", Name: "Inactive"}, State: casm.Inactive}},
	{"state-reasons", &casm.StateReason{Item: casm.Item{Code: "dfltActive", Name: "Active"}, State: casm.Active, Charged: true}},
	{"state-reasons", &casm.StateReason{Item: casm.Item{Code: "dfltSuspended", Name: "Suspended"}, State: casm.Suspended}},
	{"state-reasons", &casm.StateReason{Item: casm.Item{Code: "dfltDeactivated", Name: "Deactivated"}, State: casm.Deactivated}},
	{"bill-cycles", &casm.BillCycle{Item: casm.Item{Code: "monthly", Name: "Monthly"}, Duration: 1, Period: casm.PeriodMonth, BillingDay: 1}},
	{"currencies", &casm.Currency{Item: casm.Item{Code: "EUR", Name: "Euro"}, Symbol: "€", Primary: true}},
}

// missing gives the edits that add what a configuration lacks of it.
func missing(s *casm.Snapshot) (edits []command.ConfigEdit) {
	held := slices.Clone(builtin)
	for _, role := range command.Roles() {
		held = append(held, heldItem{"roles", role})
	}
	for _, x := range held {
		if s.Item(x.collection, x.item.Base().Code) == nil {
			edits = append(edits, command.ConfigEdit{Collection: casm.CollectionByPath(x.collection), Code: x.item.Base().Code, Item: x.item})
		}
	}
	return edits
}

// addBuiltin adds what is missing of it.
func (e *Engine) addBuiltin(ctx context.Context) error {
	if len(missing(e.config.Load())) == 0 {
		return nil
	}
	j := &job{actor: "system", config: &configJob{edits: missing}, done: make(chan outcome, 1)}
	_, outcomes, err := e.commitOnce(ctx, &lane{}, []*job{j})
	if err == nil && len(outcomes[0].errs) > 0 {
		err = outcomes[0].errs[0]
	}
	return err
}
