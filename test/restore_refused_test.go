package test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"casm/internal/testkit"
)

// TestRestoreRefuses: what is not a whole backup is not restored, and what
// holds data is not written over.
func TestRestoreRefuses(t *testing.T) {
	app := testkit.NewApp(t)
	hot(t, app)
	dir := filepath.Join(t.TempDir(), "backup")
	runCasm(t, app, "backup", dir)
	wantReconciled(t, app)
	db, man := filepath.Join(dir, "casm.db"), filepath.Join(dir, "manifest.json")
	edit := func(path string, fn func(string) string) func() {
		return func() {
			b, err := os.ReadFile(path)
			if err == nil {
				err = os.WriteFile(path, []byte(fn(string(b))), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	replace := func(old, new string) func(string) string {
		return func(s string) string {
			if !strings.Contains(s, old) {
				t.Fatalf("no %s in %s", old, s)
			}
			return strings.Replace(s, old, new, 1)
		}
	}
	fresh := filepath.Join(t.TempDir(), "fresh")
	position := readManifest(t, dir).Position
	for name, test := range map[string]struct {
		spoil func()
		want  string
	}{
		"a bit of the database":   {edit(db, func(s string) string { return s[:len(s)/2] + string(s[len(s)/2]^1) + s[len(s)/2+1:] }), "not as it was written"},
		"a database cut short":    {edit(db, func(s string) string { return s[:len(s)-4096] }), "not as it was written"},
		"a database made longer":  {edit(db, func(s string) string { return s + "x" }), "not as it was written"},
		"no database":             {func() { _ = os.Remove(db) }, "no such file"},
		"a manifest cut short":    {edit(man, func(s string) string { return s[:len(s)-3] }), "not as it was written"},
		"a manifest of nothing":   {edit(man, func(string) string { return "{}" }), "is no manifest"},
		"no manifest":             {func() { _ = os.Remove(man) }, "is no backup"},
		"another position":        {edit(man, replace(fmt.Sprintf(`"position": %d`, position), fmt.Sprintf(`"position": %d`, position+1))), "does not hold what the manifest says"},
		"other counts":            {edit(man, replace(`"count": 4`, `"count": 5`)), "does not hold what the manifest says"},
		"a form of the future":    {edit(man, replace(`"format": 1`, `"format": 2`)), "newer release"},
		"a database of no casm":   {func() { forge(t, dir, func(b []byte) { copy(b[68:72], "xxxx") }) }, "another application's database"},
		"a database of tomorrow":  {func() { forge(t, dir, func(b []byte) { b[63] = 99 }) }, "newer release"},
		"a database that is torn": {func() { forge(t, dir, func(b []byte) { copy(b[len(b)/2:], strings.Repeat("torn", 5000)) }) }, "cannot be used"},
	} {
		t.Run(name, func(t *testing.T) {
			saved := t.TempDir()
			for _, f := range []string{"casm.db", "manifest.json"} {
				copyFile(t, filepath.Join(dir, f), filepath.Join(saved, f))
			}
			defer func() {
				for _, f := range []string{"casm.db", "manifest.json"} {
					copyFile(t, filepath.Join(saved, f), filepath.Join(dir, f))
				}
			}()
			test.spoil()
			for _, args := range [][]string{{"--data", fresh}, {"--data", fresh, "--dry-run"}} {
				out, err := exec.CommandContext(t.Context(), testkit.Binary(t), append([]string{"restore", dir}, args...)...).CombinedOutput()
				if err == nil || !strings.Contains(string(out), test.want) {
					t.Errorf("%v: %v %s, want %q", args, err, out, test.want)
				}
			}
			if _, err := os.Stat(fresh); !os.IsNotExist(err) {
				t.Errorf("the data folder was made: %v", err)
			}
		})
	}
	if out := runCasm(t, app, "restore", dir, "--dry-run"); !strings.Contains(out, "is whole: Customer 4") {
		t.Errorf("the backup as it was: %s", out)
	}
	if out, err := command(t, app, "restore", dir); err == nil || !strings.Contains(out, fmt.Sprintf("in use by process %d, a server", app.PID())) {
		t.Errorf("restored below a server: %v %s", err, out)
	}
	app.Stop()
	for _, held := range []string{"casm.db", "stream", "warehouse.db"} {
		app.Data = t.TempDir()
		if err := os.Mkdir(filepath.Join(app.Data, held), 0o700); err != nil {
			t.Fatal(err)
		}
		if out, err := command(t, app, "restore", dir); err == nil || !strings.Contains(out, "holds data already: "+held) {
			t.Errorf("restored beside %s: %v %s", held, err, out)
		}
	}
	app.Data = t.TempDir() // for the end of the test
	runCasm(t, app, "restore", dir)
	app.Start()
}

// forge changes the database of a backup, and the manifest with it.
func forge(t *testing.T, dir string, fn func([]byte)) {
	t.Helper()
	sum := func(b []byte) string { return fmt.Sprintf("%x", sha256.Sum256(b)) }
	db, man := filepath.Join(dir, "casm.db"), filepath.Join(dir, "manifest.json")
	b, err := os.ReadFile(db)
	if err != nil {
		t.Fatal(err)
	}
	m, err := os.ReadFile(man)
	if err != nil {
		t.Fatal(err)
	}
	before := sum(b)
	fn(b)
	forged := strings.Replace(string(m), before, sum(b), 1)
	if forged == string(m) {
		t.Fatalf("the manifest does not hold %s: %s", before, m)
	}
	for path, text := range map[string][]byte{db: b, man: []byte(forged)} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
