package towpath_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"slices"
	"strings"
	"testing"
)

// calls are what the library does not do by itself, and who may: a prefix of
// packages, or "" for nobody.
var calls = []struct {
	names []string // as they are written
	why   string
	may   []string // packages, and what is below them
}{
	{
		[]string{"net.Listen", "net.ListenPacket", "net.ListenTCP", "net.ListenUDP", "net.ListenUnix", "http.ListenAndServe", "http.ListenAndServeTLS", "http.Serve", "http.Handle", "http.HandleFunc", "http.DefaultServeMux"},
		"a library opens no door: HTTP is for programs, and for fakes on loopback",
		[]string{"cmd", "examples", "ci", "streamtest"},
	},
	{
		[]string{"fmt.Print", "fmt.Printf", "fmt.Println", "os.Stdout", "os.Stderr", "slog.Info", "slog.Warn", "slog.Error", "slog.Debug", "slog.SetDefault", "log.Print", "log.Printf", "log.Println", "log.Fatal", "log.Fatalf", "log.Panic", "print", "println"},
		"what is said goes to Config.Logger, through one place that quotes no record",
		[]string{"cmd", "examples", "ci"},
	},
	{
		[]string{"os.Exit", "log.Fatal", "runtime.Breakpoint", "syscall.Exit"},
		"a library does not end its user's process",
		[]string{"cmd", "examples", "ci"},
	},
	{
		[]string{"exec.Command", "exec.CommandContext", "os.StartProcess"},
		"a library starts no program",
		[]string{"examples", "ci"},
	},
	{
		[]string{"tls.Config", "http.DefaultClient", "http.Get", "http.Post"},
		"TLS and connections are those of the SDK's clients, which the user makes",
		[]string{"examples", "ci"},
	},
}

// What the library does not do, no file of it is written to do.
func TestLibraryOpensNothingAndSaysNothingByItself(t *testing.T) {
	seen := 0
	walkModule(t, ".go", func(file string) {
		if strings.HasSuffix(file, "_test.go") {
			return
		}
		seen++
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		pkg := path.Dir(file)
		for _, used := range uses(parsed) {
			for _, c := range calls {
				if slices.Contains(c.names, used) && !slices.ContainsFunc(c.may, func(p string) bool { return pkg == p || strings.HasPrefix(pkg, p+"/") }) && !strings.HasSuffix(pkg, "test") {
					t.Errorf("%s uses %s: %s", file, used, c.why)
				}
			}
			if strings.HasSuffix(used, "InsecureSkipVerify") {
				t.Errorf("%s uses %s: a certificate that is not verified protects nothing", file, used)
			}
		}
	})
	if seen < 100 {
		t.Errorf("only %d files were looked at", seen)
	}
}

// uses are the names that a file takes from packages, and its calls of print.
func uses(f *ast.File) (all []string) {
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && x.Obj == nil { // a package, not a variable
				all = append(all, x.Name+"."+n.Sel.Name)
			}
			if n.Sel.Name == "InsecureSkipVerify" {
				all = append(all, n.Sel.Name)
			}
		case *ast.KeyValueExpr:
			if key, ok := n.Key.(*ast.Ident); ok && key.Name == "InsecureSkipVerify" {
				all = append(all, key.Name)
			}
		case *ast.CallExpr:
			if f, ok := n.Fun.(*ast.Ident); ok && f.Obj == nil && (f.Name == "print" || f.Name == "println") {
				all = append(all, f.Name)
			}
		}
		return true
	})
	return all
}
