package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"
)

// maxSettings bounds a file of settings, in bytes.
const maxSettings = 1 << 20

// settingsFile resolves flags from a file of settings.
type settingsFile map[string]any

// yamlSettings reads a file of settings: a mapping of the flags' names to values.
func yamlSettings(r io.Reader) (kong.Resolver, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxSettings+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxSettings {
		return nil, fmt.Errorf("the file of settings is larger than %d bytes", maxSettings)
	}
	values := settingsFile{}
	if err := yaml.Unmarshal(text, &values); err != nil {
		return nil, fmt.Errorf("the file of settings: %w", err)
	}
	return values, nil
}

// Validate refuses keys that are no setting of any command, so that a
// misspelt one is not passed over.
func (f settingsFile) Validate(app *kong.Application) error {
	known := map[string]bool{}
	err := kong.Visit(app, func(node kong.Visitable, next kong.Next) error {
		if flag, ok := node.(*kong.Flag); ok && setting(flag) {
			known[flag.Name] = true
		}
		return next(nil)
	})
	if err != nil {
		return err
	}
	var all []error
	for _, key := range slices.Sorted(maps.Keys(f)) {
		if !known[key] {
			all = append(all, fmt.Errorf("the file of settings: there is no setting %q; there are %s", key, strings.Join(slices.Sorted(maps.Keys(known)), ", ")))
		}
	}
	return errors.Join(all...)
}

// setting reports whether a flag is a setting: those have a variable, too.
func setting(flag *kong.Flag) bool { return len(flag.Envs) > 0 && flag.Name != "config" }

// Resolve gives a flag's value from the file. A variable goes before it.
func (f settingsFile) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	value, ok := f[flag.Name]
	if !ok || !setting(flag) {
		return nil, nil
	}
	for _, name := range flag.Envs {
		if _, ok := os.LookupEnv(name); ok {
			return nil, nil
		}
	}
	switch v := value.(type) {
	case nil:
		return nil, nil
	case string, bool:
		return v, nil
	case int:
		return fmt.Sprint(v), nil
	}
	return nil, fmt.Errorf("the file of settings: %s must be a text, a whole number, true or false", flag.Name)
}
