package test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"casm/internal/testkit"
)

// rooms says what each room of the house may import of the others
// (docs/architecture.md); a room within one that is not named here may import
// what the outer one may, and each other. Tests may import more.
var rooms = map[string][]string{
	"casm":                        {},
	"casm/command":                {"casm"},
	"casm/store":                  {"casm"},
	"casm/store/sqlite":           {"casm", "casm/store", "casm/internal/ownfile"},
	"casm/store/postgres":         {"casm", "casm/store"},
	"casm/store/storetest":        {"casm", "casm/store"},
	"casm/stream":                 {"casm"},
	"casm/stream/natsjs":          {"casm", "casm/stream"},
	"casm/stream/natsjs/natstest": {"casm", "casm/stream", "casm/stream/natsjs"},
	"casm/stream/kafka":           {"casm", "casm/stream"},
	"casm/stream/webhook":         {"casm", "casm/stream"},
	"casm/stream/streamtest":      {"casm", "casm/stream"},
	"casm/engine":                 {"casm", "casm/command", "casm/store"},
	"casm/relay":                  {"casm", "casm/store", "casm/stream"},
	"casm/warehouse":              {"casm", "casm/stream", "casm/warehouse/sqldb"},
	"casm/warehouse/sqldb":        {"casm", "casm/internal/ownfile"},
	"casm/warehouse/lake":         {"casm", "casm/warehouse", "casm/warehouse/sqldb"},
	"casm/warehouse/httpfeed":     {"casm", "casm/warehouse"},
	"casm/auth":                   {"casm", "casm/command", "casm/store"},
	"casm/httpapi":                {"casm", "casm/command", "casm/store", "casm/engine", "casm/auth", "casm/relay", "casm/configdoc"},
	"casm/console":                {},
	"casm/configdoc":              {"casm"},
	"casm/demo":                   {"casm", "casm/command", "casm/configdoc"},
	"casm/demo/subscribe":         {},
	"casm/client":                 {"casm", "casm/command"},
	"casm/bench":                  {},
	"casm/cmd/casm":               {"casm", "casm/app", "casm/auth", "casm/bench", "casm/httpapi"},
	"casm/internal/testkit":       {"casm", "casm/command"},
	"casm/internal/deps":          {},
	"casm/internal/ownfile":       {},
	"casm/test":                   {},
	"casm/app":                    nil, // everything
}

// libraries says in which rooms a third-party library may be imported; those
// not named here are free.
var libraries = map[string][]string{
	"zombiezen.com/go/sqlite":              {"casm/store/sqlite", "casm/warehouse/sqldb"},
	"modernc.org/":                         {"casm/store/sqlite", "casm/warehouse/sqldb"},
	"github.com/jackc/pgx/":                {"casm/store/postgres", "casm/warehouse/sqldb", "casm/internal/testkit"},
	"github.com/pressly/goose/":            {"casm/store/postgres", "casm/store/sqlite"},
	"github.com/nats-io/":                  {"casm/stream/natsjs", "casm/stream/natsjs/natstest", "casm/demo/subscribe"},
	"github.com/twmb/franz-go":             {"casm/stream/kafka", "casm/internal/testkit"},
	"github.com/coreos/go-oidc/":           {"casm/auth"},
	"golang.org/x/oauth2":                  {"casm/auth"},
	"github.com/go-jose/go-jose/":          {"casm/auth", "casm/internal/testkit"},
	"github.com/alecthomas/kong":           {"casm/cmd/casm"},
	"github.com/gofrs/flock":               {"casm/app", "casm/internal/testkit"},
	"go.opentelemetry.io/":                 {"casm/app", "casm/httpapi"},
	"net/http":                             {"casm/httpapi", "casm/auth", "casm/app", "casm/bench", "casm/client", "casm/cmd/casm", "casm/internal/testkit", "casm/stream/webhook", "casm/warehouse/httpfeed", "casm/console"},
	"database/sql":                         {"casm/store/postgres", "casm/warehouse/sqldb", "casm/internal/testkit"},
	"github.com/prometheus/client_golang/": {"casm/engine", "casm/relay", "casm/auth", "casm/httpapi", "casm/app", "casm/warehouse"},
}

// pure are packages that rules must not import: a command is a function of
// what it is given.
var pure = map[string][]string{
	"casm":         {"net", "os", "os/exec", "math/rand", "math/rand/v2", "crypto/rand", "context", "log", "log/slog"},
	"casm/command": {"net", "os", "os/exec", "math/rand", "math/rand/v2", "crypto/rand", "context", "log", "log/slog"},
}

func TestRooms(t *testing.T) {
	root, err := testkit.Root()
	if err != nil {
		t.Fatal(err)
	}
	files := 0
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); path != root && (strings.HasPrefix(name, ".") || name == "node_modules" || name == "testdata" || name == "tools") {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		files++
		return checkImports(t, root, path)
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 50 {
		t.Errorf("only %d files were found", files)
	}
}

func checkImports(t *testing.T, root, path string) error {
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
	if err != nil {
		return err
	}
	dir, err := filepath.Rel(root, filepath.Dir(path))
	if err != nil {
		return err
	}
	room := strings.TrimSuffix("casm/"+filepath.ToSlash(dir), "/.")
	named := room
	for rooms[named] == nil && named != "casm/app" {
		named = named[:strings.LastIndexByte(named, '/')]
		if named == "casm" || named == "casm/internal" {
			t.Errorf("%s: the room %s is not known; say in rooms what it may import", path, room)
			return nil
		}
	}
	may := rooms[named]
	for _, spec := range f.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return err
		}
		inside := name == named || strings.HasPrefix(name, named+"/") && named != "casm" && rooms[name] == nil
		if (name == "casm" || strings.HasPrefix(name, "casm/")) && may != nil && !inside && !slices.Contains(may, name) {
			t.Errorf("%s: %s may not import %s", path, room, name)
		}
		if slices.Contains(pure[room], name) {
			t.Errorf("%s: %s is pure and may not import %s", path, room, name)
		}
		for library, in := range libraries {
			if (name == library || strings.HasPrefix(name, library)) && named != "casm/internal/deps" && !slices.Contains(in, named) {
				t.Errorf("%s: %s may be imported in %v only", path, name, in)
			}
		}
	}
	return nil
}
